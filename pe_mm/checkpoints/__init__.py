"""Reading, converting and loading of Perception Encoder weights."""

from pe_mm.checkpoints.converting import Conversion, convert_state_dict
from pe_mm.checkpoints.errors import CheckpointError
from pe_mm.checkpoints.layouts import detect_format
from pe_mm.checkpoints.loading import LoadReport, load_encoder_weights
from pe_mm.checkpoints.reading import read_checkpoint

__all__ = [
    'CheckpointError',
    'Conversion',
    'LoadReport',
    'convert_state_dict',
    'detect_format',
    'load_encoder_weights',
    'read_checkpoint',
]
