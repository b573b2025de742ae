"""Perception Encoder for OpenMMLab: backbones, necks, weights, demo scenes.

Importing the package registers everything. In configs ``pe_mm.PerceptionEncoder`` does
it by itself from any OpenMMLab package; after an import the bare name works as well.
"""

from pe_mm import compat

try:
    # Before timm, which imports torchvision.
    compat.declare_torchvision_ops()
    compat.allow_mmengine_checkpoints()
    from pe_mm import registry
    from pe_mm.backbones import PerceptionEncoder
    from pe_mm.necks import MultiLayerPyramid
except ImportError as error:
    # `pe-mm doctor` must run in a half-installed environment, to say what is wrong.
    if not compat.in_doctor():
        raise ImportError(
            f'pe_mm cannot load what it stands on: {error}. '
            'Run `pe-mm doctor` to see what is missing and how to fix it'
        ) from error

__version__ = '0.1.0'

__all__ = ['MultiLayerPyramid', 'PerceptionEncoder', 'registry']
