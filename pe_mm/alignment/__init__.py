"""Aligning encoders with teachers: masks."""

from .masking import random_block_mask

__all__ = ['random_block_mask']
