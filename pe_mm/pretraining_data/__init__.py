"""Images and clips with texts, or alone: reading, augmenting, batching."""

from .image_text_preprocessor import ImageTextPreprocessor
from .seeded_sampler import SeededSampler
from .torchvision_transforms import TorchvisionTransforms

__all__ = ['ImageTextPreprocessor', 'SeededSampler', 'TorchvisionTransforms']
