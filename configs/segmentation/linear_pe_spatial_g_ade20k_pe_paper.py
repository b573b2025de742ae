"""Linear probe of PE-Spatial G on ADE20k, by what the paper says of its own.

Command: pe-mm train configs/segmentation/linear_pe_spatial_g_ade20k_pe_paper.py
Stated (arXiv 2504.13181, section B.3.3): frozen encoder, one layer, a linear layer and
a convolution following DINOv2, features resized to 518 x 518, AdamW 1e-3. That this
means images of 518 px is our reading. Not stated, so our choice: 512 channels between
the two, batch norm before them and no dropout as in DINOv2; the rest (iterations,
batch, weight decay, schedule, augmentation, windows, best validation) as in DINOv3's.
Cost: 1.9 B frozen parameters. Not run here.
Result: mIoU 48.9 at this layer, the last; 49.3 at layer 49, the best (out_indices=48);
published in the paper (table 13).
"""

_base_ = [
    '../_base_/models/linear_seg_pe.py',
    '../_base_/datasets/ade20k_518.py',
    '../_base_/schedules/linear_probe_40k.py',
    '../_base_/linear_seg_runtime.py',
]

crop_size = (518, 518)
model = dict(
    data_preprocessor=dict(size=crop_size, test_cfg=dict(size=crop_size)),
    decode_head=dict(projection_channels=512, dropout_ratio=0.0),
    test_cfg=dict(crop_size=crop_size, stride=(345, 345)),
)
