"""What only mmseg can use: decode heads, transforms of labels."""

from importlib.util import find_spec

# mmdet alone is enough for everything else in the package.
if find_spec('mmseg') is not None:
    from .linear_segmentation_head import (
        LinearSegmentationHead as LinearSegmentationHead,
    )
    from .subsample_labels import SubsampleLabels as SubsampleLabels
