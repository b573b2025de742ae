"""Backbones for OpenMMLab models."""

from .perception_encoder import PerceptionEncoder

__all__ = ['PerceptionEncoder']
