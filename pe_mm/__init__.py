"""Perception Encoder for OpenMMLab: backbones, necks, weights, demo scenes.

Importing the package registers everything. In configs ``pe_mm.PerceptionEncoder`` does
it by itself from any OpenMMLab package; after an import the bare name works as well.
"""

from pe_mm import compat

# What kept the package from loading, on the command line: `pe-mm doctor` must run in a
# half-installed environment, to say what is wrong.
load_error: Exception | None = None

try:
    # Before timm, which imports torchvision.
    compat.declare_torchvision_ops()
    compat.allow_mmengine_checkpoints()
    from pe_mm import registry
    from pe_mm.backbones import PerceptionEncoder, TimmEncoder
    from pe_mm.necks import (
        DPTReassemble,
        LayerMix,
        LayerNorm2d,
        MultiLayerPyramid,
        SequentialNeck,
        SimpleFeaturePyramid,
    )
except Exception as error:
    load_error = ImportError(f'pe_mm cannot load what it stands on: {error}')
    load_error.__cause__ = error
    if not compat.in_command_line():
        raise ImportError(
            f'{load_error}. `pe-mm doctor` says what is missing and how to mend it'
        ) from error

__version__ = '0.1.0'

__all__ = [
    'DPTReassemble',
    'LayerMix',
    'LayerNorm2d',
    'MultiLayerPyramid',
    'PerceptionEncoder',
    'SequentialNeck',
    'SimpleFeaturePyramid',
    'TimmEncoder',
    'registry',
]
