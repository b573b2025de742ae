"""Necks between the encoder's maps and dense heads."""

from .multi_layer_pyramid import MultiLayerPyramid

__all__ = ['MultiLayerPyramid']
