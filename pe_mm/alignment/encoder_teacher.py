"""A frozen encoder as the teacher of another one's tokens."""

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from mmengine.registry import MODELS
from mmengine.structures import BaseDataElement
from torch import Tensor, nn

from pe_mm.backbones.encoder_base import EncoderBase
from pe_mm.variants import PE_MEAN, PE_STD

from .tokens import to_tokens

GRIDS = ('same', 'resize_image', 'resize_features')


class EncoderTeacher(nn.Module):
    """Return one layer's tokens of a frozen encoder on the student's grid.

    Args:
        encoder: Config of a PerceptionEncoder or TimmEncoder with one ``out_indices``;
            it is frozen whatever it says.
        grid: What to do where its grid is not the student's. 'same': raise an error.
            'resize_image': scale the image so that it has as many of the teacher's
            patches as the student has tokens (bilinear with antialias). With
            'resize_features', the features (bilinear).

    Attributes:
        embed_dims: Channels of a token.

    Raises:
        ValueError: The encoder is of another kind or has several outputs, or the option
            is unknown.
    """

    def __init__(self, encoder: dict[str, Any], grid: str = 'same') -> None:
        super().__init__()
        if grid not in GRIDS:
            raise ValueError(f'teacher_grid must be one of {GRIDS}, got {grid!r}')
        # The aligner does not set the mode of what is no submodule of it.
        self.encoder = MODELS.build({**encoder, 'freeze': True}).eval()
        if not isinstance(self.encoder, EncoderBase):
            raise ValueError(
                'the teacher must be a pe_mm.PerceptionEncoder or pe_mm.TimmEncoder, '
                f'got {type(self.encoder).__name__}'
            )
        check_one_map(self.encoder, 'teacher')
        self.grid = grid
        self.embed_dims: int = self.encoder.embed_dims

    def forward(
        self,
        image: Tensor,
        data_samples: Sequence[BaseDataElement] | None,
        grid: tuple[int, int],
    ) -> Tensor:
        """Return features as ``MaskTeacher`` does, of ``embed_dims`` channels.

        Raises:
            ValueError: The grid is another one than the student's and is not to be
                changed, or the image is no whole number of patches.
        """
        patch = self.encoder.patch_size
        mean = getattr(self.encoder, 'mean', PE_MEAN)
        std = getattr(self.encoder, 'std', PE_STD)
        image = renormalize(image, mean, std)
        if self.grid == 'resize_image':
            size = [patch * length for length in grid]
            if list(image.shape[-2:]) != size:
                image = F.interpolate(image, size, mode='bilinear', antialias=True)
        else:
            check_whole_patches(image, patch, 'teacher')
        (feature_map,) = self.encoder(image)
        own = tuple(feature_map.shape[-2:])
        if own != tuple(grid):
            if self.grid == 'same':
                raise ValueError(
                    f"the teacher's grid is {own}, the student's {tuple(grid)}, on "
                    f'images of {tuple(image.shape[-2:])}; set teacher_grid='
                    "'resize_image' or 'resize_features', or choose encoders of equal "
                    'patch size'
                )
            feature_map = F.interpolate(feature_map, grid, mode='bilinear')
        return to_tokens(feature_map)

    def init_weights(self) -> None:
        """Load the encoder's own weights."""
        self.encoder.init_weights()


def check_one_map(encoder: Any, role: str) -> None:
    """Check that an encoder returns a single map.

    Raises:
        ValueError: It returns several, or class tokens beside them.
    """
    if len(encoder.out_indices) != 1 or getattr(encoder, 'output_class_token', False):
        raise ValueError(
            f'the {role} must return one map, without class token; got out_indices='
            f'{encoder.out_indices}, output_class_token='
            f'{getattr(encoder, "output_class_token", False)}'
        )


def check_whole_patches(image: Tensor, patch_size: int, role: str) -> None:
    """Check that an image needs no padding, whose tokens would have no target.

    Raises:
        ValueError: It does.
    """
    size = tuple(image.shape[-2:])
    if any(side % patch_size for side in size):
        raise ValueError(
            f"images are {size}, which is no multiple of the {role}'s patch of "
            f'{patch_size} px; change the size to which the pipeline resizes them'
        )


def renormalize(image: Tensor, mean: Sequence[float], std: Sequence[float]) -> Tensor:
    """Normalise an image of PE's otherwise.

    Args:
        image: (B, 3, H, W), mean = std = 127.5 on 0-255.
        mean: Wanted, per channel on 0-255.
        std: Wanted, per channel on 0-255.

    Returns:
        (B, 3, H, W).
    """
    if tuple(mean) == PE_MEAN and tuple(std) == PE_STD:
        return image
    old_mean, old_std, new_mean, new_std = (
        torch.tensor(values, dtype=image.dtype, device=image.device)[:, None, None]
        for values in (PE_MEAN, PE_STD, mean, std)
    )
    return (image * old_std + old_mean - new_mean) / new_std
