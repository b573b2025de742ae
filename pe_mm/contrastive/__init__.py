"""Contrastive training of images and clips with text, as PE-Core is trained."""

from .image_text_model import ImageTextModel
from .mask_regularization import MaskRegularization

__all__ = ['ImageTextModel', 'MaskRegularization']
