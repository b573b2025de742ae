"""Cascade Mask R-CNN on PE-Spatial L, COCO, 1024 px, for one GPU of 80 GB.

Command: pe-mm train configs/detection/cascade_mask_rcnn_pe_spatial_l_coco.py
What changes against mask_rcnn_pe_spatial_l_coco.py, and why:
- Three box heads of rising IoU (0.5, 0.6, 0.7) with class-agnostic regression, for more
  exact boxes: ViTDet's cascade, every head as in its Mask R-CNN.
- A mask head per stage, and detections rescaled by mmdet, not as detectron2 does.
Cost and result: not run here; Meta publishes no cascade.
"""

_base_ = [
    '../_base_/models/cascade_mask_rcnn_pe_vitdet.py',
    '../_base_/datasets/coco_lsj.py',
    '../_base_/schedules/vitdet_36e_one_gpu.py',
    '../_base_/iter_runtime.py',
]

# As mask_rcnn_pe_spatial_l_coco.py.
model = dict(
    backbone=dict(
        variant='PE-Spatial-L14-448', global_blocks='quarters', drop_path_rate=0.4
    ),
    neck=dict(in_channels=1024),
)
train_dataloader = dict(batch_size=8)
optim_wrapper = dict(paramwise_cfg=dict(layer_decay_rate=0.8), optimizer=dict(lr=1e-4))
