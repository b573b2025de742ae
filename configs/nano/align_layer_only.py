"""Nano alignment to layer 5 of the nano PE-Core alone; for the rest as align_both.

Command: pe-mm nano, or pe-mm train configs/nano/align_layer_only.py, with the options
of align_both.
"""

_base_ = './align_both.py'

model = dict(losses=dict(loss_locality=None))
