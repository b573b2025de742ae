"""Hooks and logging of linear probes: the best of the validations is kept."""

_base_ = './seg_iter_runtime.py'

default_hooks = dict(checkpoint=dict(save_best='mIoU', rule='greater'))
