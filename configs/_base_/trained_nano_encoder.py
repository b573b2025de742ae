"""The encoder that mask_rcnn_pe_nano_windowed has trained, to start from."""

trained_encoder = dict(
    type='Pretrained',
    checkpoint='work_dirs/mask_rcnn_pe_nano_windowed/epoch_3.pth',
    prefix='backbone.',
)
