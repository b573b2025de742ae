"""PE-Spatial T distilled from PE-Spatial G, on one GPU with COCO's images.

Command: pe-mm train configs/alignment/pe_spatial_t_distillation.py
Protocol: Meta says that its T was distilled with "a mixture of pairwise token cosine
similarity and direct distillation", and no more; here with equal weights, the cosine of
linearly projected tokens as the direct one, starting from PE-Core T, 512 px, nothing
hidden, 10K updates of 512 images.
Cost: 1.9 B frozen parameters. Not run here.
Result: Meta's own has ADE20k 27.6, DAVIS 55.0.
"""

_base_ = [
    '../_base_/models/spatial_distiller.py',
    '../_base_/datasets/coco_images_512.py',
    '../_base_/schedules/pe_spatial_one_gpu.py',
    '../_base_/alignment_runtime.py',
]

model = dict(
    backbone=dict(variant='PE-Core-T16-384'),
    # The teacher sees 448 px: 32 x 32 patches of 14, as the student's 32 x 32 of 16.
    teacher_grid='resize_image',
)
