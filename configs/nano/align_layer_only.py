"""Nano alignment to layer 5 of the nano PE-Core alone.

Command: pe-mm nano.
"""

_base_ = './align_both.py'

model = dict(losses=dict(loss_locality=None))
