"""Mask2Former for instances on PE-Spatial L, COCO, 1024 px, for one GPU of 80 GB.

Command: pe-mm train configs/detection/mask2former_pe_spatial_l_coco_instance.py
mmdet's mask2former_r50_8xb2-lsj-50e_coco (50 epochs, 100 queries), but for:
- Levels of strides 4, 8, 16, 32 from the last map; patch 14 becomes 16 by resampling.
- Windows of 32 tokens, the trained grid, and global blocks 5, 11, 17, 23.
- Layer decay 0.8 and drop path 0.4, as Mask R-CNN on L; the encoder in bfloat16.
- Trained and tested on 1024 x 1024 px, read, resized and cropped as for Meta's
  detectors; images that lost all their objects stay.
Cost and result: not run here, and not tuned. A step keeps 4.0 GiB per image for its
backward pass.
"""

_base_ = [
    '../_base_/models/mask2former_pe.py',
    '../_base_/datasets/coco_lsj.py',
    '../_base_/schedules/mask2former_50e_one_gpu.py',
    '../_base_/iter_runtime.py',
]

# Nothing remains of many small masks at jitter 0.1; they are no targets.
train_pipeline = [
    *_base_.train_pipeline[:5],
    dict(_base_.train_pipeline[5], by_mask=True),
    _base_.train_pipeline[6],
]
train_dataloader = dict(batch_size=8, dataset=dict(pipeline=train_pipeline))
