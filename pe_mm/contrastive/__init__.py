"""Contrastive training of images and clips with text, as PE-Core is trained."""

from .image_text_model import ImageTextModel
from .loading import load_image_text_weights
from .mask_regularization import MaskRegularization
from .progressive_resolution_hook import ProgressiveResolutionHook
from .retrieval_metric import RetrievalMetric
from .zero_shot_metric import ZeroShotHook, ZeroShotMetric

__all__ = [
    'ImageTextModel',
    'MaskRegularization',
    'ProgressiveResolutionHook',
    'RetrievalMetric',
    'ZeroShotHook',
    'ZeroShotMetric',
    'load_image_text_weights',
]
