"""Any of timm's plain vision transformers, with the outputs of PerceptionEncoder."""

from collections.abc import Sequence
from typing import Any

from mmengine.registry import MODELS
from torch import Tensor

from pe_mm.layers import resolve_layers

from .encoder_base import EncoderBase, count_frozen
from .image_check import check_image
from .timm_models import (
    build_model,
    check_complete,
    hub_address,
    load_model,
    only_size,
)


@MODELS.register_module()
class TimmEncoder(EncoderBase):
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
        model_args = model_args or {}
        model = build_model(model_name, model_args)
        if pretrained:
            address = hub_address(model_name, model)
            init_cfg = {'type': 'Pretrained', 'checkpoint': address}
        super().__init__(init_cfg)
        self._model_args = model_args
        self.model = model
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
        self._freeze(freeze)

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
        self._check_weights()
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

    def _cut(self, model: Any) -> None:
        model.prune_intermediate_layers(list(self.out_indices), prune_norm=True)

    def _freeze(self, freeze: bool | int) -> None:
        blocks = self.model.blocks
        frozen = count_frozen(freeze, len(blocks))
        if not freeze:
            return
        if freeze is True:
            self._frozen_parts = [self.model]
            self.model.requires_grad_(False)
            return
        parts = [m for n, m in self.model.named_children() if n != 'blocks']
        self._frozen_parts = [*parts, *blocks[:frozen]]
        trained = set(blocks[frozen:].parameters())
        for parameter in self.model.parameters():
            parameter.requires_grad_(parameter in trained)
