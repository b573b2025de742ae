"""A learned mix of several layers of one encoder."""

from collections.abc import Sequence
from functools import reduce

import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from mmengine.registry import MODELS
from torch import Tensor, nn

from .maps import check_maps, check_widths

# Only keeps a token of zeros finite; ViTDet's channel norms have the same.
EPS = 1e-6


@MODELS.register_module()
class LayerMix(BaseModule):
    """Mix k layers of equal width into one map, with learned weights that add up to 1.

    ELMo's scalar mix (arXiv 1802.05365, equation 1): ``scale * sum(weights[i] *
    norm(layer[i]))`` with softmax weights. The norm, over the channels of every token
    and without parameters, makes weights comparable: residual streams grow with depth.

    ``weights`` is the answer to "which layers does the task want?". Entry i belongs to
    the backbone's ``out_indices[i]``; ``print(model.neck)`` shows them too. From the
    checkpoint of a model whose neck is a ``SequentialNeck`` that begins with the mix,
    after ``import pe_mm``::

        state_dict = torch.load('epoch_12.pth', map_location='cpu')['state_dict']
        weights = state_dict['neck.0.layer_logits'].softmax(0)

    Weight decay draws the weights towards uniform; ``layer_logits`` is the name to give
    the optimizer's ``custom_keys`` for other settings, such as a higher learning rate.

    Args:
        in_channels: Channels of each incoming map, the encoder's ``out_channels``.
        init_cfg: mmengine's initialisation config.

    Attributes:
        out_channels: Channels of the map, one entry as there is one output.

    Raises:
        ValueError: Fewer than two maps, or their channels differ.
    """

    def __init__(
        self, in_channels: Sequence[int], init_cfg: dict | list[dict] | None = None
    ) -> None:
        super().__init__(init_cfg)
        self.in_channels = check_widths(in_channels)
        self.num_inputs = len(self.in_channels)
        if self.num_inputs < 2:
            raise ValueError(
                f'a mix needs at least two layers, got in_channels={in_channels!r}; '
                "name more in the backbone's out_indices, or leave LayerMix out"
            )
        if len(set(self.in_channels)) > 1:
            raise ValueError(
                f'only layers of equal width can be mixed, got in_channels='
                f'{in_channels!r}; take the layers of one encoder'
            )
        self.out_channels = (self.in_channels[0],)
        self.layer_logits = nn.Parameter(torch.zeros(self.num_inputs))
        self.scale = nn.Parameter(torch.ones(1))

    @property
    def weights(self) -> Tensor:
        """The layers' shares, (k,), which add up to 1."""
        return self.layer_logits.softmax(0)

    def forward(self, maps: Sequence[Tensor]) -> tuple[Tensor]:
        """Mix the maps.

        Args:
            maps: (B, C, H, W) each, of one size.

        Returns:
            One (B, C, H, W), contiguous.

        Raises:
            ValueError: The maps are not those of ``in_channels``, or of several sizes.
        """
        check_maps(
            maps,
            self.in_channels,
            'in_channels must be the out_channels of the backbone',
        )
        if any(map_.shape[-2:] != maps[0].shape[-2:] for map_ in maps):
            sizes = [tuple(map_.shape[-2:]) for map_ in maps]
            raise ValueError(
                f'only maps of one size can be mixed, got {sizes}; LayerMix comes '
                'before a pyramid, not after'
            )
        channels = self.in_channels[:1]
        # The weight is the norm's gain: a product would keep k more maps for backward.
        gains = (self.scale * self.weights).unsqueeze(1).expand(-1, *channels)
        normed = (
            F.layer_norm(map_.movedim(1, -1), channels, gain, eps=EPS)
            for map_, gain in zip(maps, gains, strict=True)
        )
        mixed = reduce(torch.add, normed)
        return (mixed.movedim(-1, 1).contiguous(),)

    def extra_repr(self) -> str:
        """Show the weights where the module is printed."""
        return f'weights={self.weights.detach()}'
