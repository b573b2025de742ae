"""PE-Core L aligned on one GPU with COCO's images: the recipe of G, scaled down.

Command: pe-mm train configs/alignment/pe_spatial_l_alignment_one_gpu.py
Teachers: its own layer 18 of 24 (the last 6 are its decoder, arXiv 2504.13181, section
3), and SAM 2.1-L. 10K updates of 512 images of 448 px. Ours: Meta's L is distilled.
Cost: 1,024 prompts of SAM per image; mask_teacher.checkpoint takes smaller ones
('facebook/sam2.1-hiera-tiny'). Not run here.
"""

_base_ = [
    '../_base_/models/spatial_aligner.py',
    '../_base_/datasets/coco_images_448.py',
    '../_base_/schedules/pe_spatial_one_gpu.py',
    '../_base_/alignment_runtime.py',
]

model = dict(
    backbone=dict(
        # Of PE-Core-L14-336, and LayerScale.
        variant=dict(
            _delete_=True,
            depth=24,
            width=1024,
            heads=16,
            patch_size=14,
            image_size=336,
            layer_scale=0.1,
        ),
        init_cfg=dict(checkpoint='hf://facebook/PE-Core-L14-336/PE-Core-L14-336.pt'),
    ),
    teacher=dict(variant='PE-Core-L14-336', out_indices=17),
)
