"""What each of two processes does in a test: spawned, they import it by this name."""

from pathlib import Path

import torch
from image_text_models import samples, tiny_model
from mmengine.model import MMDistributedDataParallel
from torch import Tensor

CAPTIONS = ['a red circle', 'two blue stars', 'a ring', 'nothing at all']


def images() -> Tensor:
    """Return the images of the captions, (4, 3, 32, 32)."""
    return torch.randn(4, 3, 32, 32, generator=torch.Generator().manual_seed(1))


def train_half(rank: int, folder: Path) -> None:
    """Save the loss and gradients of one half of the batch, in one of two ranks."""
    torch.set_num_threads(1)
    torch.distributed.init_process_group(
        'gloo', init_method=f'file://{folder}/store', rank=rank, world_size=2
    )
    half = slice(2 * rank, 2 * rank + 2)
    model = MMDistributedDataParallel(tiny_model().train())
    losses = model(images()[half], samples(CAPTIONS[half]), mode='loss')
    losses['loss_contrastive'].backward()
    gradients = {name: p.grad for name, p in model.module.named_parameters()}
    torch.save((losses['loss_contrastive'].detach(), gradients), folder / f'{rank}.pt')
    torch.distributed.destroy_process_group()
