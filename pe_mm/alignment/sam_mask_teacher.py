"""PE-Spatial's teacher of locality: SAM's mask logits for a grid of points."""

import hashlib
from collections.abc import Sequence
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from mmengine.registry import MODELS
from mmengine.structures import BaseDataElement
from torch import Tensor, nn

from pe_mm.variants import check_count

from .encoder_teacher import renormalize
from .feature_cache import FeatureCache
from .sam_models import input_size, load_sam, weights_digest
from .tokens import without_autocast

# ImageNet's, which SAM and SAM 2 were trained with, on 0-255.
SAM_MEAN = (123.675, 116.28, 103.53)
SAM_STD = (58.395, 57.12, 57.375)
OUTPUTS = ('single', 'best', 0, 1, 2)
INTERPOLATIONS = ('area', 'bilinear')
DTYPES = ('float32', 'bfloat16', 'float16')


@MODELS.register_module()
class SamMaskTeacher(nn.Module):
    """Describe each token by the logits of SAM's masks for a uniform grid of points.

    As in arXiv 2504.13181, section 5.2 and table 22: the augmented image is scaled to
    SAM's own size (1024), each of 32 x 32 points prompts one mask, and its logits, with
    no threshold and no suppression of duplicates, are one channel. Tokens of the same
    object are in the same masks. Points are the middles of the grid's cells, as in
    SAM's automatic mask generator; an image that is no square is stretched to one, as
    SAM 2 does.

    The paper leaves open what ``output``, ``clamp`` and ``interpolation`` are.

    Args:
        checkpoint: A folder in transformers' layout, or a repository of the Hugging
            Face hub; 'facebook/sam2.1-hiera-large' in the paper. It is loaded by
            ``init_weights``.
        points_per_side: Points along a side of the image; channels are its square.
        output: Which of SAM's masks of a point: 'single', the one that SAM gives when
            asked for one (SAM 2.1 takes the best of the others where that is unstable);
            'best' of the three by predicted IoU; or 0, 1 or 2, a certain one of them.
        clamp: Limit of the logits' magnitude, 32 in SAM 2's predictor; None for none.
        interpolation: From SAM's 256 x 256 logits to the tokens: 'area', the mean over
            the token, or 'bilinear', between the logits nearest to its middle.
        points_per_batch: Points that are decoded at a time, 4 MB of SAM 2's features
            each in single precision.
        dtype: SAM's precision: 'float32', 'bfloat16' or 'float16'.
        cache_dir: Folder to keep features in, 2 MB per image at 1024 tokens and points.
            They are found again for the same pixels only: of no use with random
            augmentation. None for no files.

    Raises:
        ValueError: An option is none of these.
    """

    def __init__(
        self,
        checkpoint: str,
        *,
        points_per_side: int = 32,
        output: str | int = 'single',
        clamp: float | None = None,
        interpolation: str = 'area',
        points_per_batch: int = 64,
        dtype: str = 'float32',
        cache_dir: str | None = None,
    ) -> None:
        super().__init__()
        for name, value, allowed in (
            ('output', output, OUTPUTS),
            ('interpolation', interpolation, INTERPOLATIONS),
            ('dtype', dtype, DTYPES),
        ):
            if value not in allowed:
                raise ValueError(f'{name} must be one of {allowed}, got {value!r}')
        if clamp is not None and not clamp > 0:
            raise ValueError(f'clamp must be > 0, or None for none; got {clamp}')
        self.checkpoint = checkpoint
        self.points_per_side = check_count('points_per_side', points_per_side)
        self.output = output
        self.clamp = clamp
        self.interpolation = interpolation
        self.points_per_batch = check_count('points_per_batch', points_per_batch)
        self.dtype: torch.dtype = getattr(torch, dtype)
        self.cache_dir = cache_dir
        self.model: Any = None
        self._cache: FeatureCache | None = None

    def init_weights(self) -> None:
        """Load SAM.

        Raises:
            pe_mm.checkpoints.CheckpointError: It cannot be loaded.
            ImportError: transformers is not installed.
        """
        if self.model is not None:
            return
        self.model = load_sam(self.checkpoint, self.dtype)
        if self.cache_dir is not None:
            self._cache = FeatureCache(self.cache_dir, self._digest())

    def forward(
        self,
        image: Tensor,
        data_samples: Sequence[BaseDataElement] | None,
        grid: tuple[int, int],
    ) -> Tensor:
        """Return features as ``MaskTeacher`` does, K being all points.

        Args:
            image: (B, 3, H, W), RGB, mean = std = 0.5 of the 0-1 range.
            data_samples: With ``sample_id``, if there is a cache.
            grid: Rows and columns of tokens.

        Returns:
            (B, rows * columns, points_per_side^2), single precision, or half from and
            for the cache.

        Raises:
            RuntimeError: SAM has not been loaded.
            ValueError: There is a cache, and a sample without ``sample_id``.
        """
        if self.model is None:
            raise RuntimeError(
                f'SAM ({self.checkpoint!r}) is configured but not loaded: call '
                'init_weights() first (mmengine does it before training)'
            )
        if self._cache is None:
            return torch.stack([self._features(single, grid) for single in image])
        samples = data_samples or [BaseDataElement()] * len(image)
        return torch.stack(
            [
                self._cache.get(
                    single, sample, grid, partial(self._features, single, grid)
                )
                for single, sample in zip(image, samples, strict=True)
            ]
        )

    @torch.no_grad()
    def _features(self, image: Tensor, grid: tuple[int, int]) -> Tensor:
        """Describe the tokens of one image.  (3, H, W) -> (N, points)."""
        height, width = input_size(self.model)
        with without_autocast(image):
            pixels = F.interpolate(
                image[None].float(), (height, width), mode='bilinear', antialias=True
            )
            pixels = renormalize(pixels, SAM_MEAN, SAM_STD).to(self.model.dtype)
            embeddings = self.model.get_image_embeddings(pixels)
            points = self._points(height, width, image.device)
            channels = [
                self._to_tokens(self._logits(embeddings, batch), grid)
                for batch in points.split(self.points_per_batch)
            ]
        return torch.cat(channels).T

    def _points(self, height: int, width: int, device: torch.device) -> Tensor:
        """List the points row by row.  -> (points, 2), x and y in pixels."""
        n = self.points_per_side
        middles = (torch.arange(n, device=device) + 0.5) / n
        y, x = torch.meshgrid(middles * height, middles * width, indexing='ij')
        return torch.stack((x, y), -1).flatten(0, 1)

    def _logits(self, embeddings: Any, points: Tensor) -> Tensor:
        """Decode one mask per point.  (P, 2) -> (P, 256, 256)."""
        out = self.model(
            image_embeddings=embeddings,
            input_points=points[None, :, None],
            multimask_output=self.output != 'single',
        )
        masks = out.pred_masks[0]
        if self.output == 'single':
            return masks[:, 0]
        if self.output == 'best':
            return masks[torch.arange(len(masks)), out.iou_scores[0].argmax(-1)]
        return masks[:, self.output]

    def _to_tokens(self, logits: Tensor, grid: tuple[int, int]) -> Tensor:
        """Bring logits to the token grid.  (P, h, w) -> (P, N)."""
        logits = logits.float()
        if self.clamp is not None:
            logits = logits.clamp(-self.clamp, self.clamp)
        logits = F.interpolate(logits[None], grid, mode=self.interpolation)[0]
        return logits.flatten(1)

    def _digest(self) -> str:
        """Return a hash of all that decides the features of an image."""
        options = (
            self.points_per_side,
            self.output,
            self.clamp,
            self.interpolation,
            self.dtype,
        )
        text = f'{weights_digest(self.model)} {options}'
        return hashlib.sha256(text.encode()).hexdigest()
