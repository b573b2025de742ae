"""PE-Core S aligned on one GPU with COCO's images: the recipe of G, scaled down.

Command: pe-mm train configs/alignment/pe_spatial_s_alignment_one_gpu.py
Teachers: its own layer 10 of 12 and SAM 2.1-L, as for B. Ours: Meta's S is distilled.
Cost: as B. Not run here.
"""

_base_ = './pe_spatial_b_alignment_one_gpu.py'

model = dict(
    backbone=dict(
        # Of PE-Core-S16-384, and LayerScale.
        variant=dict(width=384, heads=6, image_size=384),
        init_cfg=dict(checkpoint='hf://facebook/PE-Core-S16-384/PE-Core-S16-384.pt'),
    ),
    teacher=dict(variant='PE-Core-S16-384'),
)
