"""The largest object of each demo scene, cut out, with its class, for zero-shot tests.

Made by ``pe-mm demo-data data/demo``; the pictures that the layer sweep classifies.
"""

_base_ = './demo_instance.py'

val_dataloader = dict(
    batch_size=32,
    drop_last=False,
    dataset=dict(
        _delete_=True,
        type='pe_mm.LargestObjectCrops',
        dataset=_base_.val_dataloader.dataset,
        side=128,
    ),
)
test_dataloader = val_dataloader
