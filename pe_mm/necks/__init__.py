"""Necks between the encoder's maps and dense heads."""

from .dpt_reassemble import DPTReassemble
from .layer_mix import LayerMix
from .layer_norm import LayerNorm2d
from .multi_layer_pyramid import MultiLayerPyramid
from .sequential_neck import SequentialNeck
from .simple_feature_pyramid import SimpleFeaturePyramid

__all__ = [
    'DPTReassemble',
    'LayerMix',
    'LayerNorm2d',
    'MultiLayerPyramid',
    'SequentialNeck',
    'SimpleFeaturePyramid',
]
