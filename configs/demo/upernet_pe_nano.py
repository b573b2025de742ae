"""UPerNet on four layers of the nano PE-Spatial.

Command: pe-mm train configs/demo/upernet_pe_nano.py, or on two processes as README.md
says.
Cost: 5 minutes on 2 CPU cores.
Result: mIoU TBD (200 scenes, seed 0).
"""

_base_ = [
    '../_base_/models/upernet_pe_nano.py',
    '../_base_/datasets/demo_semantic.py',
    '../_base_/schedules/muon_cosine_crops.py',
    '../_base_/seg_runtime.py',
]
# An epoch takes twice as long as with the linear head.
max_epochs = 6
train_cfg = dict(max_epochs=max_epochs, val_interval=max_epochs)
