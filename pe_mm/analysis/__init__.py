"""What an encoder attends to and how its features look, as arrays and pictures."""

from .attention_maps import AttentionMaps, measure_attention
from .correspondences import Matches, match_features
from .feature_pca import FeaturePca, blur_map, foreground_masks, lch_colors
from .global_tokens import GlobalTokens, find_global_tokens, first_layer

__all__ = [
    'AttentionMaps',
    'FeaturePca',
    'GlobalTokens',
    'Matches',
    'blur_map',
    'find_global_tokens',
    'first_layer',
    'foreground_masks',
    'lch_colors',
    'match_features',
    'measure_attention',
]
