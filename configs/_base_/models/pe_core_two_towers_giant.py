"""The towers of PE-Core G: a wider text tower of longer texts (Meta's configs)."""

_base_ = './pe_core_two_towers.py'

model = dict(
    image_encoder=dict(variant='PE-Core-G14-448', with_cp=True),
    text_encoder=dict(context_length=72, width=1280, heads=20, layers=24, with_cp=True),
)
