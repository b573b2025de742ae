"""Reading, converting and loading of Perception Encoder weights."""

from pe_mm.checkpoints.converting import Conversion, convert_state_dict
from pe_mm.checkpoints.detectron2 import DetectorConversion, convert_detectron2
from pe_mm.checkpoints.errors import CheckpointError
from pe_mm.checkpoints.layouts import detect_format
from pe_mm.checkpoints.loading import LoadReport, load_encoder_weights
from pe_mm.checkpoints.reading import read_checkpoint

__all__ = [
    'CheckpointError',
    'Conversion',
    'DetectorConversion',
    'LoadReport',
    'convert_detectron2',
    'convert_state_dict',
    'detect_format',
    'load_encoder_weights',
    'read_checkpoint',
]
