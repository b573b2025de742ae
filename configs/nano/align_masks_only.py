"""Nano alignment to exact masks alone.

Command: pe-mm nano.
"""

_base_ = './align_both.py'

model = dict(losses=dict(loss_core=None))
