"""Nano alignment to exact masks alone; for the rest as align_both.

Command: pe-mm nano, or pe-mm train configs/nano/align_masks_only.py, with the options
of align_both.
"""

_base_ = './align_both.py'

model = dict(losses=dict(loss_core=None))
