"""PE-Core T on image-text pairs, 131,072 a step: 512 processes x 256. Not run here.

Meta's recipe for T is not published (its model is distilled): as S, whose resolutions
and shares of the steps are our choice.

    pe-mm train configs/contrastive/pe_core_t_image_text.py
"""

_base_ = './pe_core_s_image_text.py'

model = dict(image_encoder=dict(variant='PE-Core-T16-384'))
