"""PE-Spatial L distilled from PE-Spatial G, on one GPU with COCO's images.

Command: pe-mm train configs/alignment/pe_spatial_l_distillation.py
Protocol: Meta says that its L was distilled with "a mixture of pairwise token cosine
similarity and direct distillation", and no more; here with equal weights, the cosine of
linearly projected tokens as the direct one, starting from PE-Core L, 448 px, nothing
hidden, 10K updates of 512 images.
Cost: 1.9 B frozen parameters. Not run here.
Result: Meta's own has ADE20k 48.1, DAVIS 60.6.
"""

_base_ = [
    '../_base_/models/spatial_distiller.py',
    '../_base_/datasets/coco_images_448.py',
    '../_base_/schedules/pe_spatial_one_gpu.py',
    '../_base_/alignment_runtime.py',
]

model = dict(
    backbone=dict(variant='PE-Core-L14-336'),
)
