"""PE-Core G aligned into PE-Spatial G with its layer 41 and the masks of SAM 2.1-L.

Command: pe-mm train configs/alignment/pe_spatial_g_alignment.py
Protocol (arXiv 2504.13181, section 5.2 and tables 21 to 23): 75 % of the image hidden
in blocks of 2 x 2 tokens, drop path 0.4, LayerScale 0.1, both losses with weight 1 on
all tokens, 24K steps of 12,288 images of 448 px. Meta's images are those of PE-Core's
training, which are not public: put your own into train_dataloader.dataset.data_root.
Cost: 1.9 B trained and 1.5 B frozen parameters, 1,024 prompts of SAM per image; meant
for 384 processes of 32 images. Not run here.
Result: ADE20k 49.3 (layer 49; 48.9 at the last), DAVIS 61.5, published by Meta.
"""

_base_ = [
    '../_base_/models/spatial_aligner.py',
    '../_base_/datasets/coco_images_448.py',
    '../_base_/schedules/pe_spatial_alignment.py',
    '../_base_/alignment_runtime.py',
]
