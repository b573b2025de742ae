"""A DPT head on the last layer of a frozen PE-Spatial G, NYUv2, the paper's protocol.

Command: pe-mm train configs/depth/dpt_pe_spatial_g_nyu_pe_paper.py
Protocol (arXiv 2504.13181, section B.3.3): frozen encoder, one layer, DPT head of a
width that grows with the encoder's, 20 epochs, of which that with the lowest validation
loss counts; here that with the lowest validation RMSE (best_rmse_*.pth). Learning rate,
batch, crop, bins, losses and the mirrored image in the test are our choice, as the
paper does not state them: 1e-4, 16 crops of 416 x 544, 256 bins, scale-invariant and
gradient loss; Eigen's crop, up to 10 m.
Cost: 1.9 B frozen parameters. Not run here.
Result: RMSE 0.275, published by Meta.
"""

_base_ = [
    '../_base_/models/dpt_depth.py',
    '../_base_/datasets/nyu.py',
    '../_base_/schedules/dpt_depth_20e.py',
    '../_base_/seg_runtime.py',
]

# An epoch is every image once.
train_dataloader = dict(sampler=dict(type='DefaultSampler', shuffle=True))
default_hooks = dict(checkpoint=dict(save_best='rmse', rule='less'))
