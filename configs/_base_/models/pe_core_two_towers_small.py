"""The towers of PE-Core T and S: a smaller text tower (Meta's released configs)."""

_base_ = './pe_core_two_towers.py'

model = dict(
    text_encoder=dict(context_length=32, width=512, heads=8, layers=12),
)
