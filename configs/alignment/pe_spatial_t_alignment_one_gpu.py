"""PE-Core T aligned on one GPU with COCO's images: the recipe of G, scaled down.

Command: pe-mm train configs/alignment/pe_spatial_t_alignment_one_gpu.py
Teachers: its own layer 10 of 12 and SAM 2.1-L, as for B. Ours: Meta's T is distilled.
Cost: as B. Not run here.
"""

_base_ = './pe_spatial_b_alignment_one_gpu.py'

model = dict(
    backbone=dict(
        # Of PE-Core-T16-384, and LayerScale.
        variant=dict(width=192, heads=3, image_size=384),
        init_cfg=dict(checkpoint='hf://facebook/PE-Core-T16-384/PE-Core-T16-384.pt'),
    ),
    teacher=dict(variant='PE-Core-T16-384'),
)
