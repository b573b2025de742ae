"""PE-Core T aligned on one GPU with COCO's images: the recipe of G, scaled down.

Command: pe-mm train configs/alignment/pe_spatial_t_alignment_one_gpu.py
Teachers: its own layer 10 of 12, as deep as 41 of 50 (`pe-mm sweep` measures which is
best), and SAM 2.1-L. 10K updates of 512 images of 512 px. Ours: Meta's T is distilled.
Cost: 1,024 prompts of SAM per image; mask_teacher.checkpoint takes smaller ones
('facebook/sam2.1-hiera-tiny'). Not run here.
"""

_base_ = [
    '../_base_/models/spatial_aligner.py',
    '../_base_/datasets/coco_images_512.py',
    '../_base_/schedules/pe_spatial_one_gpu.py',
    '../_base_/alignment_runtime.py',
]

model = dict(
    backbone=dict(
        # Of PE-Core-T16-384, and LayerScale.
        variant=dict(
            _delete_=True,
            depth=12,
            width=192,
            heads=3,
            patch_size=16,
            image_size=384,
            layer_scale=0.1,
        ),
        init_cfg=dict(checkpoint='hf://facebook/PE-Core-T16-384/PE-Core-T16-384.pt'),
    ),
    teacher=dict(variant='PE-Core-T16-384', out_indices=9),
)
