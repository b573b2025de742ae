"""What an encoder attends to and how its features look, as arrays and pictures."""

from .attention_maps import AttentionMaps, measure_attention
from .correspondences import Matches, match_features
from .feature_pca import (
    FeatureColors,
    FeaturePca,
    blur_map,
    color_features,
    foreground_masks,
    lch_colors,
)
from .global_tokens import GlobalTokens, find_global_tokens, first_layer

__all__ = [
    'AttentionMaps',
    'FeatureColors',
    'FeaturePca',
    'GlobalTokens',
    'Matches',
    'blur_map',
    'color_features',
    'find_global_tokens',
    'first_layer',
    'foreground_masks',
    'lch_colors',
    'match_features',
    'measure_attention',
]
