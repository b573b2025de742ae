"""Any of timm's plain vision transformers, with the outputs of PerceptionEncoder."""

from collections.abc import Sequence
from typing import Any, SupportsIndex

from mmengine.model import BaseModule
from mmengine.registry import MODELS
from torch import Tensor, nn

from pe_mm.checkpoints.mmengine_loading import pretrained_cfg
from pe_mm.layers import resolve_layers

from .image_check import check_image
from .timm_models import (
    build_model,
    check_complete,
    hub_address,
    load_model,
    only_size,
)


@MODELS.register_module()
class TimmEncoder(BaseModule):
    """Encode an image with a model of timm and return the maps of chosen layers.

    DINOv3, DINOv2, SigLIP 2, CLIP, MAE and whatever else timm builds of equal blocks:
    ``timm.list_models('vit_*')`` has the names. Maps are the raw residual stream after
    a block, without class and register tokens, as PerceptionEncoder's are. Blocks above
    the last chosen layer, the final norm and the heads are cut off.

    Images are RGB, normalised with the ``mean`` and ``std`` of the attributes. Where
    timm can resize the position embedding, they may have any size, and sides that are
    no multiple of the patch are zero-padded right and bottom; elsewhere (BEiT, SAM)
    they must have the size of the model.

    Args:
        model_name: timm's name, such as 'vit_base_patch16_dinov3.lvd1689m'.
        out_indices: Layers to return: 0-based block ids in ascending order (negative
            ids count from the end of the whole encoder), 'last', 'quarters' or 'all'.
        pretrained: Load timm's weights of that name, from the Hugging Face hub, in
            ``init_weights``.
        freeze: True freezes everything, n the embedding and the first n blocks: no
            gradients, always in eval mode.
        model_args: What else ``timm.create_model`` takes, such as ``img_size`` or
            ``drop_path_rate``.
        init_cfg: mmengine's initialisation config; ``dict(type='Pretrained',
            checkpoint=FILE)`` for a file of weights, or an ``hf://`` address, that timm
            can read for this model. Without, parameters start as timm does.

    Attributes:
        model_name: timm's name, with the tag of the weights.
        embed_dims: Channels of each map.
        out_channels: Channels of the maps, one entry per output.
        out_indices: Resolved 0-based block ids, one per output.
        depth: Blocks of the whole encoder.
        patch_size: Patch side in pixels, the stride of the maps.
        mean: Of the images, per channel on 0-255.
        std: Of the images, per channel on 0-255.
        trained_size: Side in pixels of the images that it was trained on.
        image_size: The only (height, width) that it takes; None for any.

    Raises:
        ValueError: timm has no such model, it is no plain vision transformer or a
            Perception Encoder, or layers or options are impossible.
    """

    _is_init: bool

    def __init__(
        self,
        model_name: str,
        out_indices: str | int | Sequence[int] = 'last',
        *,
        pretrained: bool = False,
        freeze: bool | int = False,
        model_args: dict[str, Any] | None = None,
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        if pretrained and init_cfg is not None:
            raise ValueError(
                'pretrained=True and init_cfg both say where weights come from; pass '
                'one'
            )
        super().__init__(init_cfg)
        self._model_args = model_args or {}
        self.model = build_model(model_name, self._model_args)
        if pretrained:
            address = hub_address(model_name, self.model)
            self.init_cfg = {'type': 'Pretrained', 'checkpoint': address}
        facts = self.model.pretrained_cfg
        tag = f'.{facts["tag"]}' if facts.get('tag') else ''
        self.model_name = f'{model_name.split(".")[0]}{tag}'
        self.depth = len(self.model.blocks)
        self.out_indices = resolve_layers(out_indices, self.depth)
        self.embed_dims: int = self.model.embed_dim
        self.out_channels = (self.embed_dims,) * len(self.out_indices)
        self.patch_size: int = self.model.feature_info[0]['reduction']
        self.mean, self.std = (
            tuple(255 * value for value in facts[key]) for key in ('mean', 'std')
        )
        self.trained_size: int = facts['input_size'][-1]
        self.image_size = only_size(self.model)
        self._cut(self.model)
        self._frozen_parts: list[nn.Module] = []
        self._freeze(freeze)
        self._missing_weights = pretrained_cfg(self.init_cfg)

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        """Return the maps of ``out_indices``.

        Args:
            image: (B, 3, H, W), RGB, normalised with ``mean`` and ``std``.

        Returns:
            One (B, C, ceil(H / patch), ceil(W / patch)) map per output.

        Raises:
            ValueError: Not a float image of three channels, or of a size that the model
                does not take.
            RuntimeError: The configured weights have not been loaded.
        """
        if self._missing_weights is not None:
            raise RuntimeError(
                f'the weights {self._missing_weights["checkpoint"]!r} are configured '
                'but not loaded: call init_weights() (mmengine does it before '
                'training) or load a checkpoint first'
            )
        weight = next(self.model.parameters())
        check_image(image, weight.dtype, self.patch_size)
        size = tuple(image.shape[-2:])
        if self.image_size not in (None, size):
            raise ValueError(
                f'{self.model_name} takes images of {self.image_size} px only, got '
                f'{size}; resize them, or build it with '
                f'model_args=dict(img_size={size})'
            )
        maps = self.model.forward_intermediates(
            image, indices=list(self.out_indices), intermediates_only=True
        )
        return tuple(maps)

    def init_weights(self) -> None:
        """Load the configured weights; what timm has initialised stays as it is.

        Raises:
            pe_mm.checkpoints.CheckpointError: The weights are missing or do not fit.
        """
        cfg = self._missing_weights
        if cfg is not None and not self._is_init:
            loaded = load_model(self.model_name, cfg['checkpoint'], self._model_args)
            self._cut(loaded)
            check_complete(self.model_name, cfg['checkpoint'], loaded)
            self.model.load_state_dict(loaded.state_dict())
            self._missing_weights = None
        self._is_init = True

    def train(self, mode: bool = True) -> 'TimmEncoder':
        """Set training mode; what is frozen stays in eval mode."""
        super().train(mode)
        for part in self._frozen_parts:
            part.eval()
        return self

    def _cut(self, model: Any) -> None:
        model.prune_intermediate_layers(list(self.out_indices), prune_norm=True)

    def _freeze(self, freeze: bool | int) -> None:
        blocks = self.model.blocks
        if not isinstance(freeze, SupportsIndex) or not 0 <= int(freeze) <= len(blocks):
            raise ValueError(
                f'freeze={freeze!r} is impossible: {len(blocks)} blocks are built; use '
                f'True for the whole encoder, 1..{len(blocks)} for the first blocks, '
                'or False'
            )
        if not freeze:
            return
        if freeze is True:
            self._frozen_parts = [self.model]
            self.model.requires_grad_(False)
            return
        parts = [m for n, m in self.model.named_children() if n != 'blocks']
        self._frozen_parts = [*parts, *blocks[: int(freeze)]]
        trained = set(blocks[int(freeze) :].parameters())
        for parameter in self.model.parameters():
            parameter.requires_grad_(parameter in trained)

    def _load_from_state_dict(self, state_dict: dict, prefix: str, *args: Any) -> None:
        super()._load_from_state_dict(state_dict, prefix, *args)
        if all(
            key in state_dict and state_dict[key].shape == value.shape
            for key, value in self.state_dict(prefix=prefix).items()
        ):
            # A later init_weights() of this encoder must not undo it.
            self._missing_weights = None
            self._is_init = True
