"""Images and clips with texts, or alone: reading, augmenting, batching."""

from .decoding import CorruptSampleError
from .image_folder import ImageFolder
from .image_text_preprocessor import ImageTextPreprocessor
from .largest_object_crops import LargestObjectCrops
from .sample_dataset import SampleDataset
from .seeded_sampler import SeededSampler
from .shards import ImageTextShards, VideoTextShards
from .text_folders import ImageTextFolder, VideoTextFolder
from .torchvision_transforms import TorchvisionTransforms

__all__ = [
    'CorruptSampleError',
    'ImageFolder',
    'ImageTextFolder',
    'ImageTextPreprocessor',
    'ImageTextShards',
    'LargestObjectCrops',
    'SampleDataset',
    'SeededSampler',
    'TorchvisionTransforms',
    'VideoTextFolder',
    'VideoTextShards',
]
