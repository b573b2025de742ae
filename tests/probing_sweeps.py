"""A planted encoder and toy images: one layer knows the answer, the others do not."""

import hashlib
from contextlib import nullcontext
from types import SimpleNamespace

import torch
import torch.nn.functional as F
from torch import nn

from pe_mm.engine.encoder_loading import LoadedEncoder
from pe_mm.probing.classification import KNNTask, LinearClassificationTask
from pe_mm.probing.encoder import FrozenEncoder
from pe_mm.probing.probe_run import SweepOptions
from pe_mm.probing.probe_task import Budget, Sample

SIDE, PATCH = 16, 4
PLANTED = 2


class PlantedEncoder(nn.Module):
    """The mean colour of every patch in one layer; in the others the same for all."""

    def __init__(self, layers=(0, 1, 2, 3), scale=1.0, seed=0):
        super().__init__()
        self.out_indices = tuple(layers)
        self.embed_dims = 6
        self.patch_size = PATCH
        self.variant = SimpleNamespace(depth=4)
        generator = torch.Generator().manual_seed(seed)
        mix = torch.randn(6, 3, 1, 1, generator=generator)
        self.blocks = nn.ModuleList(nn.Module() for _ in range(4))
        for block in self.blocks:
            block.mix = nn.Parameter(scale * mix)
        self.images_seen = 0

    def forward(self, image):
        self.images_seen += len(image)
        colours = F.avg_pool2d(image, PATCH)
        outputs = []
        for layer in self.out_indices:
            blind = torch.ones_like(colours) * torch.linspace(-1, 1, colours.shape[-1])
            seen = colours if layer == PLANTED else blind
            outputs.append(F.conv2d(seen, self.blocks[layer].mix))
        return tuple(outputs)


class ColourImages:
    """Noisy images in which red, green or blue is brightest: the class."""

    def __init__(self, count, seed=0):
        generator = torch.Generator().manual_seed(seed)
        shape = (count, 3, SIDE, SIDE)
        self.images = torch.randint(0, 180, shape, generator=generator)
        self.classes = torch.randint(0, 3, (count,), generator=generator)
        for image, number in zip(self.images, self.classes, strict=True):
            image[number] += 70
        self.loads = 0

    def __len__(self):
        return len(self.images)

    def __getitem__(self, index):
        self.loads += 1
        image = self.images[index].to(torch.uint8)
        return Sample(index, image, int(self.classes[index]))

    def identity(self):
        return self.fingerprint()

    def fingerprint(self):
        return hashlib.sha256(self.images.numpy().tobytes()).hexdigest()


def planted(layers=(0, 1, 2, 3), *, dtype='float16', **options):
    """Return a frozen planted encoder."""
    loaded = LoadedEncoder(
        encoder=PlantedEncoder(layers, **options),
        mean=(127.5,) * 3,
        std=(127.5,) * 3,
        bgr=False,
        label='planted',
        weights='random',
        weights_hash='seed-0',
    )
    return FrozenEncoder(loaded, dtype=dtype)


def colour_task(kind=LinearClassificationTask, *, train=40, iterations=20, seed=0):
    """Return a task of colours."""
    if kind is KNNTask:
        iterations = None
    budget = Budget(iterations, batch_size=8, learning_rate=0.03)
    return kind(
        ColourImages(train, seed),
        ColourImages(24, seed + 1),
        num_classes=3,
        config='colours',
        side=SIDE,
        budget=budget,
    )


def sweep_options(folder, **changes):
    """Return options that write into a folder, and say nothing."""
    defaults = dict(
        rows=folder / 'rows.jsonl',
        store=folder / 'store',
        show=lambda label: nullcontext(lambda done, total: None),
        say=lambda line: None,
    )
    return SweepOptions(**(defaults | changes))
