"""LayerNorm over the channels of a map, as a norm that mmcv builds."""

from mmengine.registry import MODELS
from timm.layers import LayerNorm2d as TimmLayerNorm2d
from torch import Tensor


@MODELS.register_module()
class LayerNorm2d(TimmLayerNorm2d):
    """Normalise over the channels of (B, C, H, W), at every place by itself.

    The norm of ViTDet's pyramid and heads (arXiv 2203.16527), for mmcv's ``norm_cfg``:
    ``dict(type='pe_mm.LayerNorm2d', eps=1e-6)``. Without ``eps`` mmcv passes 1e-5. mmcv
    names it ``ln``, as in ``shared_convs.0.ln.weight``.

    A contiguous map stays contiguous: mmcv's RoIAlign reads every map as if it were.
    """

    _abbr_ = 'ln'

    def forward(self, x: Tensor) -> Tensor:
        """Normalise.  (B, C, H, W) -> (B, C, H, W)."""
        normed = super().forward(x)
        return normed.contiguous() if x.is_contiguous() else normed
