"""What only mmdet can use: heads, losses, assigners, transforms and metrics."""

from importlib.util import find_spec

# mmseg alone is enough for everything else in the package.
if find_spec('mmdet') is not None:
    from .detectron2_assigner import Detectron2Assigner as Detectron2Assigner
    from .detectron2_box_coder import Detectron2BBoxCoder as Detectron2BBoxCoder
    from .detectron2_roi_head import Detectron2RoIHead as Detectron2RoIHead
    from .detectron2_rpn_head import Detectron2RPNHead as Detectron2RPNHead
    from .federated_classes_hook import FederatedClassesHook as FederatedClassesHook
    from .federated_loss import FederatedLoss as FederatedLoss
    from .fixed_size_crop import FixedSizeCrop as FixedSizeCrop
    from .load_panoptic_annotations import (
        LoadPanopticAnnotations as LoadPanopticAnnotations,
    )
    from .lvis_metric import LVISMetric as LVISMetric
    from .panoptic_quality_metric import (
        PanopticQualityMetric as PanopticQualityMetric,
    )
    from .scale_jitter import ScaleJitter as ScaleJitter
