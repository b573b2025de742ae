"""The paper's probe of one layer: a Mask R-CNN on frozen PE-Core G, COCO, 15 epochs.

Layer 39 in the paper's count from 1, the best of PE-Core G, is block 38 here; another:
--cfg-options model.backbone.out_indices=40; blocks above it are not built.
Command: pe-mm train configs/detection/mask_rcnn_pe_core_g_frozen_coco_15e.py
(64 images per iteration in all; README.md says how on several GPUs).
From the paper (section B.3.3): frozen encoder, patch 16, 1024 px, windows of 32 tokens
and no global block, tiled position embedding, no drop path, 15 epochs, steps. Not
stated there: learning rate and batch (1e-4 and 64 here).
Cost: not run here.
Result: box AP 43.2 on val2017, as published (figure 8).
"""

_base_ = [
    '../_base_/models/mask_rcnn_pe_vitdet.py',
    '../_base_/datasets/coco_lsj.py',
    '../_base_/schedules/vitdet_15e.py',
    '../_base_/iter_runtime.py',
]

model = dict(
    backbone=dict(
        variant='PE-Core-G14-448',
        out_indices=38,
        global_blocks=(),
        freeze=True,
        drop_path_rate=0.0,
        with_cp=False,  # frozen blocks store no activations
    )
)
