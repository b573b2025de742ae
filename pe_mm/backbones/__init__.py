"""Backbones for OpenMMLab models."""

from .perception_encoder import PerceptionEncoder
from .timm_encoder import TimmEncoder

__all__ = ['PerceptionEncoder', 'TimmEncoder']
