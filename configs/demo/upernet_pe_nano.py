"""UPerNet on four layers of the encoder that linear_seg_pe_nano has trained.

Train that one first: convolutions are slow to teach an encoder classes.
Command: pe-mm train configs/demo/upernet_pe_nano.py
Cost: 4 minutes on one CPU core, and a fifth of another.
Result: mIoU 66.4, mAcc 76.5, aAcc 91.4 (200 scenes, seed 0).
"""

_base_ = [
    '../_base_/models/upernet_pe_nano.py',
    '../_base_/datasets/demo_semantic.py',
    '../_base_/schedules/muon_cosine_crops.py',
    '../_base_/seg_runtime.py',
]
trained_encoder = dict(
    type='Pretrained',
    checkpoint='work_dirs/linear_seg_pe_nano/epoch_22.pth',
    prefix='backbone.',
)
model = dict(backbone=dict(init_cfg=trained_encoder))
max_epochs = 6
train_cfg = dict(max_epochs=max_epochs, val_interval=max_epochs)
# A rate at which the encoder keeps what it knows; 2e-3 for the head.
optim_wrapper = dict(optimizer=dict(lr=5e-4, fallback_lr_scale=4.0))
