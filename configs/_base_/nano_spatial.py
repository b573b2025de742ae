"""The nano PE-Spatial, and its weights, which are kept beside its configs."""

nano_variant = dict(depth=8, width=160, heads=4, patch_size=16, image_size=128)
nano_weights = dict(
    type='Pretrained',
    checkpoint='{{ fileDirname }}/../nano/weights/pe_nano_spatial.safetensors',
)
