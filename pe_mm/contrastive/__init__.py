"""Contrastive training of images and clips with text, as PE-Core is trained."""

from .image_text_model import ImageTextModel
from .loading import load_image_text_weights
from .mask_regularization import MaskRegularization

__all__ = ['ImageTextModel', 'MaskRegularization', 'load_image_text_weights']
