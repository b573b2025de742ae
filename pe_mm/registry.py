"""The `pe_mm` scope of mmengine's registries.

Everything is registered once, on mmengine's root registries. These child registries
hold nothing: they make ``type='pe_mm.PerceptionEncoder'`` resolve from the scopes of
mmdet, mmseg and every other OpenMMLab package without ``custom_imports``.
"""

from mmengine import registry as root
from mmengine.registry import Registry


def _child(parent: Registry, *locations: str) -> Registry:
    return Registry(
        parent.name, parent=parent, scope='pe_mm', locations=list(locations)
    )


MODELS = _child(
    root.MODELS,
    'pe_mm',
    'pe_mm.detection',
    'pe_mm.segmentation',
    'pe_mm.depth',
    'pe_mm.alignment',
    'pe_mm.contrastive',
    'pe_mm.pretraining_data',
)
DATASETS = _child(root.DATASETS, 'pe_mm.depth', 'pe_mm.pretraining_data')
DATA_SAMPLERS = _child(root.DATA_SAMPLERS, 'pe_mm.pretraining_data')
FUNCTIONS = _child(root.FUNCTIONS, 'pe_mm.engine', 'pe_mm.pretraining_data')
HOOKS = _child(root.HOOKS, 'pe_mm.engine', 'pe_mm.detection', 'pe_mm.contrastive')
OPTIM_WRAPPER_CONSTRUCTORS = _child(root.OPTIM_WRAPPER_CONSTRUCTORS, 'pe_mm.engine')
TASK_UTILS = _child(root.TASK_UTILS, 'pe_mm.detection')
TRANSFORMS = _child(
    root.TRANSFORMS, 'pe_mm.detection', 'pe_mm.depth', 'pe_mm.pretraining_data'
)
METRICS = _child(root.METRICS, 'pe_mm.detection', 'pe_mm.depth', 'pe_mm.contrastive')
