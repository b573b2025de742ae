"""What each of two processes does in a test: spawned, one imports it by this name."""

from datetime import timedelta
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from pe_mm.contrastive.contrastive_loss import contrastive_loss


class Towers(nn.Module):
    """Two linear towers and a scale, from one seed; their forward is the loss."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.visual, self.text = nn.Linear(6, 4), nn.Linear(5, 4)
        self.scale = nn.Parameter(torch.tensor(3.0))

    def forward(self, images: Tensor, texts: Tensor) -> Tensor:
        return contrastive_loss(self.visual(images), self.text(texts), self.scale)


def pairs() -> tuple[Tensor, Tensor]:
    """Return the joined batch of 8 pairs."""
    generator = torch.Generator().manual_seed(1)
    return torch.randn(8, 6, generator=generator), torch.randn(
        8, 5, generator=generator
    )


def train_half(rank: int, folder: Path) -> None:
    """Save the loss and gradients of one half of the batch, in one of two ranks."""
    torch.distributed.init_process_group(
        'gloo',
        init_method=f'file://{folder}/store',
        rank=rank,
        world_size=2,
        timeout=timedelta(minutes=2),
    )
    towers = Towers()
    parallel = DistributedDataParallel(towers)
    loss = parallel(*(part.chunk(2)[rank] for part in pairs()))
    loss.backward()
    gradients = {name: p.grad for name, p in towers.named_parameters()}
    torch.save((loss.detach(), gradients), folder / f'{rank}.pt')
    # Before the group: the last of its owners must not be the garbage collector.
    del parallel, loss
    torch.distributed.destroy_process_group()
