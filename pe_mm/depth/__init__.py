"""Depth estimation on mmseg: heads, estimator, losses, metric, dataset, transforms."""

from importlib.util import find_spec

# mmdet alone is enough for everything else in the package.
if find_spec('mmseg') is not None:
    from .color_augment import ColorAugment as ColorAugment
    from .depth_estimator import DepthEstimator as DepthEstimator
    from .depth_gradient_loss import DepthGradientLoss as DepthGradientLoss
    from .depth_metric import DepthMetric as DepthMetric
    from .dpt_depth_head import DPTDepthHead as DPTDepthHead
    from .fixed_crop import FixedCrop as FixedCrop
    from .kitti_depth_dataset import KITTIDepthDataset as KITTIDepthDataset
    from .linear_depth_head import LinearDepthHead as LinearDepthHead
    from .scale_invariant_log_loss import (
        ScaleInvariantLogLoss as ScaleInvariantLogLoss,
    )
