"""Zero-shot classification of the largest thing of held-out scenes into 12 shapes.

Command: pe-mm test configs/nano/zero_shot_classes.py CHECKPOINT
"""

_base_ = [
    '../_base_/models/nano_image_text.py',
    '../_base_/datasets/demo_object_classes.py',
    '../_base_/nano_runtime.py',
]

train_dataloader = train_cfg = optim_wrapper = param_scheduler = None
val_dataloader = val_cfg = val_evaluator = None
test_dataloader = dict(dataset=dict(dataset=dict(data_root='data/nano')))
test_evaluator = dict(
    _delete_=True,
    type='pe_mm.ZeroShotMetric',
    class_names=_base_.things,
    templates=['A {}.', 'A red {}.', 'A blue {}.', 'A green {}.', 'A white {}.'],
)
custom_hooks = [dict(type='pe_mm.ZeroShotHook')]
