"""A linear segmentation head on layers of the nano PE-Spatial's student.

Command: pe-mm train configs/demo/linear_seg_pe_nano.py, or on two processes as
README.md says.
Cost: 5 to 6 minutes on 2 CPU cores.
Result: mIoU 66.4, mAcc 77.1, aAcc 91.1 (200 scenes, seed 0).
"""

_base_ = [
    '../_base_/models/linear_seg_pe_nano.py',
    '../_base_/datasets/demo_semantic.py',
    '../_base_/schedules/muon_cosine_crops.py',
    '../_base_/seg_runtime.py',
]
# For one process, and one that decodes pictures; a step of the optimizer alone costs as
# much as four crops.
train_dataloader = dict(batch_size=16, num_workers=1, persistent_workers=True)
