"""Mask2Former fine-tuned on PE-Spatial B, ADE20k semantics, 512 px, for 8 GPUs.

Command: torchrun --nproc-per-node 8 -m pe_mm train CONFIG, or on one GPU
pe-mm train configs/segmentation/mask2former_pe_spatial_b_ade20k.py
with --cfg-options train_dataloader.batch_size=16.
160000 iterations of 16 images, AdamW 1e-4, the head as in mmseg; layer decay 0.7 and
drop path 0.1 as in configs/detection. Test on whole images, short side 512 px.
Cost and result: not run here, and not tuned; none is published.
"""

_base_ = [
    '../_base_/models/mask2former_seg_pe.py',
    '../_base_/datasets/ade20k_512.py',
    '../_base_/schedules/mask2former_160k.py',
    '../_base_/seg_iter_runtime.py',
]

train_dataloader = dict(batch_size=2)
