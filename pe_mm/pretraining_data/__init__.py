"""Images and clips with texts, or alone: reading, augmenting, batching.

On batches: a contrastive loss compares the samples of one forward pass, gathered over
all processes. mmengine's ``accumulative_counts=k`` averages the gradients of k such
losses, each with the negatives of its own small batch alone; that is not the loss of
the batch k times as large. PE's batches (131,072 pairs, arXiv 2504.13181, Tab. 18) need
processes, or activation checkpointing (``with_cp=True``), not accumulation. Alignment
losses are means over images, for which accumulation is exact.
"""

from .collating import stack_inputs
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
    'stack_inputs',
]
