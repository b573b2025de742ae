"""mmseg's depth estimator, for every image size and every way of testing."""

from collections.abc import Sequence
from typing import Any

import torch.nn.functional as F
from mmengine.config import ConfigDict
from mmengine.registry import MODELS
from mmengine.structures import PixelData
from mmengine.utils import to_2tuple
from mmseg.models.segmentors import DepthEstimator as MMSegDepthEstimator
from mmseg.structures import SegDataSample
from torch import Tensor

MODES = ('whole', 'slide')


@MODELS.register_module()
class DepthEstimator(MMSegDepthEstimator):
    """Estimate depth of the image's own size, whole or in windows, mirrored or not.

    Differences from mmseg's estimator (1.2.2):

    - ``mode='slide'`` averages over overlapping windows; mmseg overwrites the result
      with that of the whole image. mmseg's ``mode='slide_flip'`` is ``mode='slide',
      flip_test=True``, with the image mirrored instead of each window.
    - Images, windows and training crops that are no whole number of patches are
      zero-padded right and bottom, as the encoder itself would; depth is predicted for
      what the patches cover, then cut to the image. mmseg squeezes the map of
      ceil(H / patch) cells into H pixels. Padding has no valid depth.
    - The images' meta information is left as it is.

    Args:
        backbone: Config of the encoder. Its ``patch_size`` is what images are padded
            to; without one they are not.
        decode_head: Config of the head, such as ``pe_mm.LinearDepthHead``.
        test_cfg: ``mode``: 'whole' (default) or 'slide', with ``crop_size`` and
            ``stride``, (height, width) each; ``flip_test``: True to average with the
            prediction of the mirrored image.
        kwargs: What else mmseg's ``DepthEstimator`` takes: ``neck``,
            ``auxiliary_head``, ``train_cfg``, ``data_preprocessor``, ``init_cfg``.

    Raises:
        ValueError: ``test_cfg`` has an unknown mode, or windows that leave gaps.
    """

    def __init__(
        self,
        backbone: dict[str, Any],
        decode_head: dict[str, Any],
        *,
        test_cfg: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            backbone, decode_head, test_cfg=_check_test_cfg(test_cfg), **kwargs
        )

    def loss(
        self, inputs: Tensor, data_samples: Sequence[SegDataSample]
    ) -> dict[str, Tensor]:
        """Compute the losses of a batch.

        Args:
            inputs: (B, 3, H, W), normalised.
            data_samples: With ``gt_depth_map`` of (1, H, W), in metres.

        Raises:
            ValueError: Measured depth has another size than the images.
        """
        for sample in data_samples:
            size = tuple(sample.gt_depth_map.shape)
            if size != inputs.shape[-2:]:
                raise ValueError(
                    f'measured depth is {size}, images are {tuple(inputs.shape[-2:])}; '
                    'in the training pipeline LoadDepthAnnotation must come before '
                    'what changes the size'
                )
        inputs = self._pad(inputs)
        size = inputs.shape[-2:]
        padded = [_pad_depth(sample, *size) for sample in data_samples]
        return super().loss(inputs, padded)

    def inference(self, inputs: Tensor, batch_img_metas: Sequence[dict]) -> Tensor:
        """Predict depth.

        Args:
            inputs: (B, 3, H, W), normalised.
            batch_img_metas: Meta information, one per image.

        Returns:
            (B, 1, H, W), in metres.
        """
        depth = self._infer(inputs, batch_img_metas)
        if self.test_cfg.get('flip_test', False):
            mirrored = self._infer(inputs.flip(3), batch_img_metas).flip(3)
            depth = (depth + mirrored) / 2
        return depth

    def encode_decode(self, inputs: Tensor, batch_img_metas: Sequence[dict]) -> Tensor:
        """Predict depth of images or windows.  (B, 3, H, W) -> (B, 1, H, W)."""
        height, width = inputs.shape[-2:]
        inputs = self._pad(inputs)
        size = inputs.shape[-2:]
        metas = [dict(m, img_shape=size, pad_shape=size) for m in batch_img_metas]
        return super().encode_decode(inputs, metas)[..., :height, :width]

    def _infer(self, inputs: Tensor, batch_img_metas: Sequence[dict]) -> Tensor:
        if self.test_cfg.get('mode', 'whole') == 'whole':
            return self.whole_inference(inputs, batch_img_metas)
        # It writes the windows' size into them.
        metas = [dict(meta) for meta in batch_img_metas]
        return self.slide_inference(inputs, metas)

    def _pad(self, inputs: Tensor) -> Tensor:
        rows, columns = to_2tuple(getattr(self.backbone, 'patch_size', 1))
        height, width = inputs.shape[-2:]
        return F.pad(inputs, (0, -width % columns, 0, -height % rows))


def _pad_depth(sample: SegDataSample, height: int, width: int) -> SegDataSample:
    """Pad measured depth right and bottom with 0, which is invalid."""
    depth = sample.gt_depth_map.data
    missing = (0, width - depth.shape[-1], 0, height - depth.shape[-2])
    data = PixelData(data=F.pad(depth, missing))
    return SegDataSample(metainfo=sample.metainfo, gt_depth_map=data)


def _check_test_cfg(test_cfg: dict[str, Any] | None) -> ConfigDict:
    """Return a test config that mmseg can read.

    Raises:
        ValueError: The mode is unknown, or windows have no size or leave gaps.
    """
    cfg = ConfigDict(test_cfg or {})
    mode = cfg.get('mode', 'whole')
    if mode not in MODES:
        raise ValueError(
            f'test_cfg: mode must be one of {MODES}, got {mode!r}; to average with the '
            "mirrored image set flip_test=True beside it (mmseg's 'slide_flip' is "
            "mode='slide', flip_test=True)"
        )
    if mode == 'whole':
        return cfg
    crop_size, stride = cfg.get('crop_size'), cfg.get('stride')
    pairs = all(
        isinstance(p, (list, tuple)) and len(p) == 2 for p in (crop_size, stride)
    )
    if not pairs or not all(
        0 < step <= side for step, side in zip(stride, crop_size, strict=True)
    ):
        raise ValueError(
            "test_cfg: mode='slide' needs crop_size and stride, (height, width) each "
            'and 0 < stride <= crop_size, so that windows leave no gaps; got '
            f'crop_size={crop_size!r}, stride={stride!r}'
        )
    return cfg
