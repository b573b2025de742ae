"""Tell from the shapes of weights which variant they are."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

from pe_mm.checkpoints.rename_rules import BLOCK_NUMBER
from pe_mm.variants import VARIANTS, Variant

_BLOCK = re.compile(rf'blocks\.({BLOCK_NUMBER})\.')


@dataclass(frozen=True)
class Architecture:
    """What the names and shapes of an encoder's weights say about it.

    Attributes:
        width: Channels of a token.
        depth: Number of blocks.
        mlp_width: Hidden channels of the MLP.
        patch_size: Side of the patch kernel in pixels.
        cells: Cells of the position embedding, the class token's row not counted.
        class_token: Whether there is a class token.
        layer_scale: Whether the blocks have LayerScale.
    """

    width: int
    depth: int
    mlp_width: int
    patch_size: int
    cells: int
    class_token: bool
    layer_scale: bool

    @classmethod
    def of_variant(cls, variant: Variant) -> 'Architecture':
        """Return a variant's architecture."""
        return cls(
            width=variant.width,
            depth=variant.depth,
            mlp_width=variant.mlp_width,
            patch_size=variant.patch_size,
            cells=variant.grid_size**2,
            class_token=variant.class_token,
            layer_scale=variant.layer_scale is not None,
        )

    @classmethod
    def of_weights(cls, tensors: Mapping[str, Tensor]) -> 'Architecture | None':
        """Return the architecture of weights in our names, None if too few."""
        try:
            kernel = tensors['patch_embed.proj.weight']
            class_token = 'cls_token' in tensors
            rows = tensors['pos_embed'].shape[1]
            cells = rows - int(class_token or has_spare_row(rows))
            if cells < 1:
                return None
            return cls(
                width=kernel.shape[0],
                depth=count_blocks(tensors),
                mlp_width=tensors['blocks.0.mlp.fc1.weight'].shape[0],
                patch_size=kernel.shape[-1],
                cells=cells,
                class_token=class_token,
                layer_scale='blocks.0.gamma_1' in tensors,
            )
        except (KeyError, IndexError):
            return None

    def variants(self) -> list[str]:
        """Return the names of the official variants of exactly this architecture."""
        return [
            name
            for name, variant in VARIANTS.items()
            if Architecture.of_variant(variant) == self
        ]

    def __str__(self) -> str:
        """Describe it for a message."""
        side = round(self.cells**0.5)
        return (
            f'width {self.width}, {self.depth} blocks, patch {self.patch_size}, '
            f'{side}x{side} positions, '
            f'{"a" if self.class_token else "no"} class token, '
            f'{"with" if self.layer_scale else "no"} LayerScale'
        )


def has_spare_row(rows: int) -> bool:
    """Tell whether a position embedding has a class token's row before a square grid.

    Meta's detectors keep that row where the encoder had the token, which they drop.

    Args:
        rows: Rows of the position embedding.
    """
    return math.isqrt(rows) ** 2 != rows and math.isqrt(rows - 1) ** 2 == rows - 1


def block_of(key: str) -> int | None:
    """Return the number of the block that a parameter of ours belongs to."""
    match = _BLOCK.match(key)
    return int(match[1]) if match else None


def count_blocks(keys: Mapping[str, Tensor]) -> int:
    """Return the number of blocks, counting up to the highest one."""
    return (
        max((block for key in keys if (block := block_of(key)) is not None), default=-1)
        + 1
    )
