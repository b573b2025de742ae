"""A frozen encoder as a sweep sees it: images to the maps of all layers, and names."""

import hashlib
import json
from typing import Any

import torch
from torch import Tensor

from pe_mm.backbones import TimmEncoder
from pe_mm.engine.encoder_loading import LoadedEncoder

DTYPES = {'float16': torch.float16, 'bfloat16': torch.bfloat16}


class FrozenEncoder:
    """An encoder in eval mode whose maps are rounded to half precision.

    They are rounded whether they are stored or not, so that both give the same numbers.

    Args:
        loaded: The layers are its encoder's ``out_indices``.
        label: What figures and tables call it; None for its own name.
        dtype: 'float16', or 'bfloat16' for values beyond 65504.

    Attributes:
        loaded: What it is made of.
        layers: Block ids of the maps.
        num_layers: Blocks of the whole encoder.
        channels: Of every map.
        patch_size: In pixels.
        weights: SHA-256 of the file of the weights, None for random ones.
        variant: What was built, for rows of results.
    """

    def __init__(
        self, loaded: LoadedEncoder, *, label: str | None = None, dtype: str = 'float16'
    ) -> None:
        self.loaded = loaded
        self.module = loaded.encoder.eval().requires_grad_(False)
        self.label = label or loaded.label
        self.dtype = dtype
        self.layers: tuple[int, ...] = self.module.out_indices
        self.channels: int = self.module.embed_dims
        self.patch_size: int = self.module.patch_size
        self.device = next(self.module.parameters()).device
        self.num_layers: int = (
            self.module.depth
            if isinstance(self.module, TimmEncoder)
            else self.module.variant.depth
        )
        self.variant = loaded.facts()
        is_random = loaded.weights == 'random'
        self.weights = None if is_random else loaded.weights_hash
        if is_random:
            self.variant['weights'] = f'random, {loaded.weights_hash}'

    @torch.no_grad()
    def __call__(self, images: Tensor) -> dict[int, Tensor]:
        """Return the maps of all layers.

        Args:
            images: (B, 3, H, W), RGB, 0-255.

        Returns:
            Layer -> (B, C, h, w), in half precision.

        Raises:
            ValueError: A value is too large for the precision, or not finite.
        """
        maps = self.module(self.loaded.normalize(images))
        halves = {}
        for layer, map_ in zip(self.layers, maps, strict=True):
            halves[layer] = map_.to(DTYPES[self.dtype])
            if not halves[layer].isfinite().all():
                raise ValueError(_not_finite(layer, map_, self.dtype))
        return halves

    def tokens(self, height: int, width: int) -> tuple[int, int]:
        """Return (height, width) of the maps of an image."""
        return -(-height // self.patch_size), -(-width // self.patch_size)

    @property
    def short_hash(self) -> str:
        """A name for what is kept of this encoder alone."""
        facts = [self.label, self.variant, self.weights, self.dtype]
        return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:12]

    def check_size(self, side: int) -> None:
        """Make sure that the encoder takes square images of a size.

        Raises:
            ValueError: It is one of timm's that take another size only.
        """
        only = getattr(self.module, 'image_size', None)
        if only not in (None, (side, side)):
            raise ValueError(
                f'{self.label} takes images of {only[0]} x {only[1]} px only, not of '
                f'{side}; use --tokens {only[0] // self.patch_size}'
            )

    def fingerprints(self) -> dict[int, str]:
        """Return a hash per layer, of all that its features depend on.

        Blocks above a layer are left out: how many are built changes nothing.
        """
        state = self.module.state_dict()
        below = hashlib.sha256(json.dumps(self.variant, sort_keys=True).encode())
        blocks: dict[int, list[str]] = {layer: [] for layer in range(self.num_layers)}
        for name in sorted(state):
            block = _block_of(name)
            if block is None:
                _add(below, name, state[name])
            else:
                blocks[block].append(name)
        found = {}
        windowed = getattr(self.module, 'windowed', ())
        for layer, names in blocks.items():
            below.update(repr(windowed[layer : layer + 1]).encode())
            for name in names:
                _add(below, name, state[name])
            found[layer] = below.hexdigest()
        return {layer: found[layer] for layer in self.layers}


def _block_of(name: str) -> int | None:
    parts = name.split('.')
    return int(parts[parts.index('blocks') + 1]) if 'blocks' in parts else None


def _add(digest: Any, name: str, tensor: Tensor) -> None:
    digest.update(name.encode())
    digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())


def _not_finite(layer: int, map_: Tensor, dtype: str) -> str:
    if not map_.isfinite().all():
        return f'the features of layer {layer} are not finite; are these the weights?'
    return (
        f'features of layer {layer} reach {map_.abs().max():.3g}, more than {dtype} '
        'holds; use --feature-dtype bfloat16'
    )
