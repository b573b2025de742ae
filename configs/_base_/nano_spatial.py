"""The student of the nano PE-Spatial, and its weights, kept beside its config.

It has a third of its teacher's parameters, and learns more in the same minutes.
"""

nano_variant = dict(depth=8, width=96, heads=3, patch_size=16, image_size=128)
nano_weights = dict(
    type='Pretrained',
    checkpoint='{{ fileDirname }}/../nano/weights/pe_nano_spatial_student.safetensors',
)
