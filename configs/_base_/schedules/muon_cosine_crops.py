"""Short epochs of crops: Muon for the patch kernel too, the encoder in bfloat16."""

_base_ = './muon_cosine_quick.py'

max_epochs = 22
train_cfg = dict(max_epochs=max_epochs, val_interval=max_epochs)
optim_wrapper = dict(
    paramwise_cfg=dict(patch_kernel=True),
    optimizer=dict(
        lr=4e-3,
        fallback_lr_scale=0.4,  # 1.6e-3 for AdamW
    ),
)
custom_hooks = [dict(type='pe_mm.AutocastHook')]
