"""The `pe_mm` scope of mmengine's registries.

Everything is registered once, on mmengine's root registries. These child registries
hold nothing: they make ``type='pe_mm.PerceptionEncoder'`` resolve from the scopes of
mmdet, mmseg and every other OpenMMLab package without ``custom_imports``.
"""

from mmengine.registry import HOOKS as ROOT_HOOKS
from mmengine.registry import MODELS as ROOT_MODELS
from mmengine.registry import OPTIM_WRAPPER_CONSTRUCTORS as ROOT_CONSTRUCTORS
from mmengine.registry import Registry

MODELS = Registry('model', parent=ROOT_MODELS, scope='pe_mm', locations=['pe_mm'])
HOOKS = Registry('hook', parent=ROOT_HOOKS, scope='pe_mm', locations=['pe_mm.engine'])
OPTIM_WRAPPER_CONSTRUCTORS = Registry(
    'optimizer wrapper constructor',
    parent=ROOT_CONSTRUCTORS,
    scope='pe_mm',
    locations=['pe_mm.engine'],
)
