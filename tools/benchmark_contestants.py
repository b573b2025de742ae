"""What the benchmark compares: our encoder, timm's, other windows, and the floor."""

import math
from dataclasses import replace

import torch.nn.functional as F
from torch import Tensor, nn

import pe_mm

# isort: split
# After pe_mm, which makes torchvision, and so timm, importable on CPU-only installs.
import timm

from pe_mm.backbones.block import Block, may_overwrite
from pe_mm.layers import resolve_layers
from pe_mm.variants import Variant


class Floor(nn.Module):
    """The encoder's matrix products and attention calls, and nothing else.

    Windows are consecutive tokens, so nothing is moved; where windows do not divide the
    grid, queries, keys and values are padded, for padded places are attended to.

    Args:
        variant: The encoder's architecture.
        depth: Number of blocks.
        grid: Rows and columns of tokens; for windows only.
        window_size: Side of a window in tokens; None for none.
        global_blocks: Blocks without windows.
    """

    def __init__(
        self,
        variant: Variant,
        depth: int,
        *,
        grid: tuple[int, int] = (0, 0),
        window_size: int | None = None,
        global_blocks: tuple[int, ...] = (),
    ) -> None:
        super().__init__()
        width, patch = variant.width, variant.patch_size
        self.heads, self.class_token = variant.heads, variant.class_token
        self.patch_embed = nn.Conv2d(3, width, patch, stride=patch, bias=False)
        self.blocks = nn.ModuleList(
            nn.ModuleDict(
                {
                    'qkv': nn.Linear(width, 3 * width),
                    'proj': nn.Linear(width, width),
                    'fc1': nn.Linear(width, variant.mlp_width),
                    'fc2': nn.Linear(variant.mlp_width, width),
                }
            )
            for _ in range(depth)
        )
        for module in self.modules():
            if isinstance(module, nn.Linear):
                # Values of order one: shrinking ones turn into slow denormal numbers.
                nn.init.normal_(module.bias)
        # Tokens per attended sequence of each block; None for all of an image.
        self.areas: list[int | None] = [None] * depth
        self.padding = 0
        if window_size is not None:
            area = window_size**2
            windows = math.prod(math.ceil(length / window_size) for length in grid)
            self.padding = windows * area - math.prod(grid)
            self.areas = [None if i in global_blocks else area for i in range(depth)]

    def forward(self, image: Tensor) -> Tensor:
        """Run the products.  (B, 3, H, W) -> (B, [1 +] tokens, C)."""
        x = self.patch_embed(image).flatten(2).transpose(1, 2)
        if self.class_token:
            x = F.pad(x, (0, 0, 1, 0))
        for block, area in zip(self.blocks, self.areas, strict=True):
            qkv = block['qkv'](x)
            if area is not None:
                if self.padding:
                    qkv = F.pad(qkv, (0, 0, 0, self.padding))
                qkv = qkv.unflatten(1, (-1, area)).flatten(0, 1)
            q, k, v = qkv.unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
            attended = F.scaled_dot_product_attention(q, k, v)
            attended = attended.transpose(1, 2).reshape(x.shape[0], -1, x.shape[2])
            x = block['proj'](attended[:, : x.shape[1]])
            x = block['fc2'](block['fc1'](x))
        return x


class TimmFeatures(nn.Module):
    """timm's model of the same architecture, returning the map of one block."""

    def __init__(self, variant: Variant, size: int, depth: int) -> None:
        super().__init__()
        name = str(variant.timm_id).split('.')[0]
        self.model = timm.create_model(name, img_size=size)
        self.model.prune_intermediate_layers([depth - 1], prune_norm=True)
        self.index = depth - 1

    def forward(self, image: Tensor) -> Tensor:
        """Return the last map.  (B, 3, H, W) -> (B, C, h, w)."""
        return self.model.forward_intermediates(
            image, indices=[self.index], intermediates_only=True
        )[0]


class Ours(nn.Module):
    """``PerceptionEncoder`` with one output."""

    def __init__(self, variant: Variant, depth: int) -> None:
        super().__init__()
        self.model = pe_mm.PerceptionEncoder(variant, (depth - 1,))

    def forward(self, image: Tensor) -> Tensor:
        """Return the map.  (B, 3, H, W) -> (B, C, h, w)."""
        return self.model(image)[0]


class Detector(nn.Module):
    """``PerceptionEncoder`` as in Meta's detectors, with one output.

    Args:
        variant: As from ``detection_variant``.
        depth: Number of blocks to build.
        window_size: Side of a window in tokens; None for attention over the whole map
            in every block.
    """

    def __init__(self, variant: Variant, depth: int, window_size: int | None) -> None:
        super().__init__()
        blocks = detection_global_blocks(variant, depth)
        self.model = pe_mm.PerceptionEncoder(
            variant,
            (depth - 1,),
            window_size=window_size,
            global_blocks=() if window_size is None else blocks,
            rope='rescale',
            position_embedding='tile',
        )

    def forward(self, image: Tensor) -> Tensor:
        """Return the map.  (B, 3, H, W) -> (B, C, h, w)."""
        return self.model(image)[0]


class PartitionEveryBlock(Detector):
    """The same encoder, partitioning in each windowed block, as detectron2 does.

    Parameters, rotations, attention and sums are our own, in place where ours are. All
    that differs: tokens are padded and grouped between the first norm and the
    attention of each block, and put back after it.
    """

    def forward(self, image: Tensor) -> Tensor:
        """Return the map.  (B, 3, H, W) -> (B, C, h, w)."""
        encoder = self.model
        x, grid = encoder._embed(image)
        size = encoder.window_size
        window_rope = encoder._rope((size, size), x.device, False)
        rope = encoder._rope(grid, x.device, False)
        for block, windowed in zip(encoder.blocks, encoder.windowed, strict=True):
            if windowed:
                x = self._run_windowed(block, x, window_rope, grid)
            else:
                x = block(x, rope)
        return encoder._to_map(x, grid)

    def _run_windowed(
        self, block: Block, x: Tensor, rope: Tensor, grid: tuple[int, int]
    ) -> Tensor:
        branch = partition(block.norm1(x), grid, self.model.window_size)
        branch = block.attn(branch, rope)
        branch = unpartition(branch, grid, self.model.window_size)
        in_place = may_overwrite(block.attn, block.attn.proj)
        x = block._add(x, branch, block.gamma_1, None, in_place)
        branch = block.mlp(block.norm2(x))
        in_place = may_overwrite(block.mlp, block.mlp.fc2)
        return block._add(x, branch, block.gamma_2, None, in_place)


def partition(x: Tensor, grid: tuple[int, int], size: int) -> Tensor:
    """Group a map's tokens by window, zero-padded right and below.

    Args:
        x: (B, rows * columns, C).
        grid: Rows and columns.
        size: Side of a window in tokens.

    Returns:
        (B * windows, size * size, C).
    """
    x = x.unflatten(1, grid)
    below, right = (-length % size for length in grid)
    if below or right:
        x = F.pad(x, (0, 0, 0, right, 0, below))
    x = x.unflatten(2, (-1, size)).unflatten(1, (-1, size))
    return x.transpose(2, 3).flatten(3, 4).flatten(0, 2)


def unpartition(x: Tensor, grid: tuple[int, int], size: int) -> Tensor:
    """Undo ``partition``.  (B * windows, size * size, C) -> (B, rows * columns, C)."""
    rows, columns = (math.ceil(length / size) for length in grid)
    x = x.unflatten(1, (size, size)).unflatten(0, (-1, rows, columns))
    x = x.transpose(2, 3).flatten(3, 4).flatten(1, 2)
    return x[:, : grid[0], : grid[1]].flatten(1, 2)


def detection_variant(variant: Variant) -> Variant:
    """Return a variant's architecture as detectors use it: 16 px, no class token."""
    return replace(
        variant, patch_size=16, image_size=16 * variant.grid_size, class_token=False
    )


def detection_global_blocks(variant: Variant, depth: int) -> tuple[int, ...]:
    """Return the blocks among the first ``depth`` that attend over the whole map.

    They are the last of each quarter of the whole encoder.

    Raises:
        ValueError: The depth is no whole number of quarters.
    """
    blocks = resolve_layers('quarters', variant.depth)
    if depth - 1 not in blocks:
        allowed = ', '.join(str(block + 1) for block in blocks)
        raise ValueError(
            f'depth {depth} is no whole number of quarters of {variant.name}; '
            f'its {variant.depth} blocks can be cut to {allowed}'
        )
    return tuple(block for block in blocks if block < depth)
