"""UPerNet on four layers of the encoder that linear_seg_pe_nano has trained.

Train that one first: convolutions are slow to teach an encoder from scratch.
Command: pe-mm train configs/demo/upernet_pe_nano.py, or on two processes as README.md
says.
Cost: 9 minutes on 2 CPU cores that had other work too.
Result: mIoU 56.4, mAcc 67.9, aAcc 89.0 (200 scenes, seed 0); from scratch, with 14
epochs at the other's rates, 34.6.
"""

_base_ = [
    '../_base_/models/upernet_pe_nano.py',
    '../_base_/datasets/demo_semantic.py',
    '../_base_/schedules/muon_cosine_crops.py',
    '../_base_/seg_runtime.py',
]
trained_encoder = dict(
    type='Pretrained',
    checkpoint='work_dirs/linear_seg_pe_nano/epoch_17.pth',
    prefix='backbone.',
)
model = dict(backbone=dict(init_cfg=trained_encoder))
max_epochs = 10
train_cfg = dict(max_epochs=max_epochs, val_interval=max_epochs)
optim_wrapper = dict(optimizer=dict(lr=2e-3, fallback_lr_scale=0.8))
