"""A student of a third of the parameters, distilled from the nano PE-Spatial.

Command: pe-mm nano, or pe-mm train configs/nano/distil_student.py on two processes,
with model.teacher.init_cfg.checkpoint=ALIGNED.
"""

_base_ = './align_both.py'

model = dict(
    backbone=dict(
        variant=dict(width=96, heads=3),
        with_mask_token=False,
        drop_path_rate=0.0,
        init_cfg=None,
    ),
    teacher=dict(
        out_indices='last',
        init_cfg=dict(
            checkpoint='work_dirs/nano/seed_0/align_both/epoch_6.pth',
            prefix='backbone.',
        ),
    ),
    mask_teacher=None,
    losses=dict(
        loss_locality=dict(target='teacher', temperature=None),
    ),
    masking=None,
    projector=True,
)
train_cfg = dict(max_epochs=10)
optim_wrapper = dict(optimizer=dict(lr=4e-3))
