"""DINO on PE-Spatial L at its own patch of 14, COCO, for one GPU of 80 GB.

Command: pe-mm train configs/detection/dino_pe_spatial_l_coco.py
mmdet's dino-4scale (12 epochs, 900 queries) with these differences:
- Four levels of strides 7, 14, 28, 56 from the last map, padded to multiples of 56.
- Windows of 32 tokens, the trained grid, and global blocks 5, 11, 17, 23.
- Layer decay 0.8 and drop path 0.4, as Mask R-CNN on L; the encoder in bfloat16.
Cost and result: not run here, and not tuned. A step keeps 4.4 GiB of an image of
800 x 1333 px for its backward pass.
"""

_base_ = [
    '../_base_/models/dino_pe.py',
    '../_base_/datasets/coco_detr.py',
    '../_base_/schedules/dino_12e_one_gpu.py',
    '../_base_/default_runtime.py',
]

train_dataloader = dict(batch_size=8)
