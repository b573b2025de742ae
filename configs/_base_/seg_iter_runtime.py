"""Hooks and logging of mmseg for training loops that count iterations."""

_base_ = './seg_runtime.py'

default_hooks = dict(
    # Metrics belong to iterations; there are no epochs to log them under.
    logger=dict(interval=50, log_metric_by_epoch=False),
    checkpoint=dict(by_epoch=False, interval=5000),
)
log_processor = dict(by_epoch=False)
