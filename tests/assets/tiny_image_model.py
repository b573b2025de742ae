"""A tiny model of images on a Perception Encoder, with the random parts of training."""

import torch
from mmengine.model import BaseModel
from mmengine.registry import MODELS
from torch import nn

VARIANT = dict(depth=2, width=16, heads=2, patch_size=8, image_size=16)


@MODELS.register_module()
class TinyImageModel(BaseModel):
    """Predict an image's mean colour from its tokens, with noise."""

    def __init__(self, data_preprocessor=None):
        super().__init__(data_preprocessor)
        self.backbone = MODELS.build(
            dict(type='pe_mm.PerceptionEncoder', variant=VARIANT, drop_path_rate=0.3)
        )
        self.head = nn.Linear(16, 3)

    def forward(self, inputs, data_samples=None, mode='tensor'):
        (tokens,) = self.backbone(inputs)
        error = self.head(tokens.mean((2, 3))) - inputs.mean((2, 3))
        error = error + 0.1 * torch.randn_like(error)
        return {'loss': error.square().mean()}
