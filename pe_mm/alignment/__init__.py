"""Aligning encoders with teachers: losses, masks, teachers, the model that trains."""

from .encoder_teacher import EncoderTeacher
from .mask_teacher import MaskTeacher
from .masking import random_block_mask
from .pairwise_similarity_loss import PairwiseSimilarityLoss
from .sam_mask_teacher import SamMaskTeacher
from .scene_mask_teacher import SceneMaskTeacher
from .spatial_aligner import SpatialAligner
from .token_losses import TokenCosineLoss, TokenDistanceLoss

__all__ = [
    'EncoderTeacher',
    'MaskTeacher',
    'PairwiseSimilarityLoss',
    'SamMaskTeacher',
    'SceneMaskTeacher',
    'SpatialAligner',
    'TokenCosineLoss',
    'TokenDistanceLoss',
    'random_block_mask',
]
