"""Perception Encoder (arXiv 2504.13181) as an OpenMMLab backbone."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Any

import torch
from mmengine.registry import MODELS
from timm.layers import AttentionPoolLatent, PatchEmbed, calculate_drop_path_rates
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from pe_mm.checkpoints import load_encoder_weights
from pe_mm.checkpoints.mmengine_loading import pretrained_cfg, resolve_init_cfg
from pe_mm.checkpoints.patch_kernel import check_resampling
from pe_mm.layers import resolve_layers
from pe_mm.variants import POOL_HEADS, Variant, check_count, resolve_variant

from .block import NORM_EPS, Block
from .encoder_base import EncoderBase, count_frozen
from .image_check import check_hidden, check_image
from .initialization import initialize
from .options import check_options
from .position import (
    check_position_method,
    resize_position_embedding,
    resolve_rope,
    rope_table,
)
from .windows import Windows, resolve_windows


@MODELS.register_module()
class PerceptionEncoder(EncoderBase):
    """Encode an image and return the feature maps of chosen layers.

    Features equal those of Meta's encoder at every image size. Blocks above the last
    chosen layer, and norms and pooling that are not asked for, are never built.

    Images are RGB, normalised with mean = std = 127.5 on 0-255 (0.5 on 0-1). Sides that
    are no multiple of the patch are zero-padded right and bottom.

    Args:
        variant: A name of ``pe_mm.variants.VARIANTS``, or the fields of a custom
            ``Variant`` as a dict.
        out_indices: Layers to return: 0-based block ids in ascending order (negative
            ids count from the end of the whole encoder), 'last', 'quarters' or 'all'.
        patch_size: Patch side in pixels; None for the trained one. Weights of another
            patch size are resampled when they are loaded.
        patch_resampling: How: 'pseudo_inverse' (FlexiViT, arXiv 2212.08013, keeps the
            tokens of a resized image) or 'bicubic' (Meta's detectors; tokens of a
            larger patch grow with its area).
        output_class_token: True to return (map, class token) pairs, as mmseg's DPTHead
            takes them. 'mean' to return (map, mean of its patches) pairs: for encoders
            without a class token, but others may as well.
        apply_final_norm: Apply PE-Core's final norm to the last block's output. All
            other maps are the raw residual stream.
        with_pooling: Build PE-Core's attention pooling for ``embed_image``. In a model
            that trains on maps only, it would be left without gradients.
        with_mask_token: Build the learned token that takes the place of patches hidden
            in training (MaskFeat, arXiv 2112.09133). Weights without one load.
        pretrained: Load the variant's official weights in ``init_weights``; the same as
            ``init_cfg=dict(type='Pretrained', checkpoint=<variant's weights>)``.
        freeze: True freezes everything, n the embedding and the first n blocks: no
            gradients, no stored activations, always in eval mode.
        drop_path_rate: Stochastic depth, growing linearly from 0 at the first block to
            this rate at the last one built; in [0, 1).
        with_cp: Recompute each block's activations in the backward pass (non-reentrant
            activation checkpointing).
        window_size: Side in tokens of the square windows in which blocks attend; None
            for attention over the whole map in every block. With windows there is no
            class token, as in Meta's detectors.
        global_blocks: Blocks that attend over the whole map all the same.
        rope: 'extrapolate': positions are integers at every size (Meta's encoder);
            'rescale': times ``rope_reference_size`` / length of the window, or of the
            map in global blocks (Meta's detectors).
        rope_reference_size: In tokens; None for the side of the trained grid.
        position_embedding: How it fits another grid: 'resize' (bilinear, Meta's
            encoder), 'resize_bicubic' or 'tile' (Meta's detectors).
        init_cfg: mmengine's initialisation config. With ``type='Pretrained'`` the
            weights go through ``pe_mm.checkpoints.load_encoder_weights``, strictly;
            ``prefix`` and ``new_layer_scale`` are passed on to it.

    Attributes:
        variant: The resolved ``Variant``.
        embed_dims: Channels of each map.
        out_channels: Channels of the maps, one entry per output.
        out_indices: Resolved 0-based block ids, one per output.
        patch_size: Patch side in pixels, the stride of the maps.
        windowed: For each block that is built, whether its attention is windowed.

    Raises:
        ValueError: Unknown variant, impossible layers, or options the variant lacks.
    """

    def __init__(
        self,
        variant: str | Mapping[str, Any] | Variant,
        out_indices: str | int | Sequence[int] = 'last',
        *,
        patch_size: int | None = None,
        patch_resampling: str = 'pseudo_inverse',
        output_class_token: bool | str = False,
        apply_final_norm: bool = False,
        with_pooling: bool = False,
        with_mask_token: bool = False,
        pretrained: bool = False,
        freeze: bool | int = False,
        drop_path_rate: float = 0.0,
        with_cp: bool = False,
        window_size: int | None = None,
        global_blocks: str | int | Sequence[int] = (),
        rope: str = 'extrapolate',
        rope_reference_size: int | None = None,
        position_embedding: str = 'resize',
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        variant = resolve_variant(variant)
        super().__init__(resolve_init_cfg(variant, pretrained, init_cfg))
        self.variant = variant
        self.out_indices = resolve_layers(out_indices, variant.depth)
        self.embed_dims = width = variant.width
        self.out_channels = (width,) * len(self.out_indices)
        self.patch_size = (
            variant.patch_size
            if patch_size is None
            else check_count('patch_size', patch_size)
        )
        self.patch_resampling = check_resampling(patch_resampling)
        self.output_class_token = output_class_token
        self.apply_final_norm = apply_final_norm
        self.with_pooling = with_pooling
        self.with_cp = with_cp
        depth = self.out_indices[-1] + 1
        self.windowed = resolve_windows(
            window_size, global_blocks, built=depth, depth=variant.depth
        )
        self.window_size = None if window_size is None else int(window_size)
        self.has_class_token = variant.class_token and window_size is None
        self.rope_reference_size = resolve_rope(
            rope, rope_reference_size, default=variant.grid_size
        )
        self.position_embedding = check_position_method(position_embedding)
        check_options(
            variant,
            out_indices=self.out_indices,
            windows=window_size is not None,
            output_class_token=output_class_token,
            apply_final_norm=apply_final_norm,
            with_pooling=with_pooling,
            drop_path_rate=drop_path_rate,
        )

        self.patch_embed = PatchEmbed(
            img_size=None,
            patch_size=self.patch_size,
            embed_dim=width,
            bias=False,
            dynamic_img_pad=True,
        )
        tokens = variant.grid_size**2 + int(self.has_class_token)
        self.pos_embed = nn.Parameter(torch.empty(1, tokens, width))
        self.cls_token = (
            nn.Parameter(torch.empty(1, 1, width)) if self.has_class_token else None
        )
        self.mask_token = (
            nn.Parameter(torch.empty(1, 1, width)) if with_mask_token else None
        )
        self.norm_pre = nn.LayerNorm(width, eps=NORM_EPS)
        rates: Any = calculate_drop_path_rates(drop_path_rate, depth)
        self.blocks = nn.ModuleList(Block(variant, drop_path=rate) for rate in rates)
        if apply_final_norm or with_pooling:
            self.norm = nn.LayerNorm(width, eps=NORM_EPS)
        if with_pooling:
            self._build_pooling()
        initialize(self)
        self._freeze(freeze)

    def forward(
        self, image: Tensor, hidden: Tensor | None = None
    ) -> tuple[Tensor, ...] | tuple[tuple[Tensor, Tensor], ...]:
        """Return the maps of ``out_indices``.

        Args:
            image: (B, 3, H, W), RGB, mean = std = 0.5 of the 0-1 range; any H and W
                of at least one patch.
            hidden: (B, ceil(H / patch), ceil(W / patch)) bool, the patches whose
                embedding the mask token replaces; None for no patch.

        Returns:
            One (B, C, ceil(H / patch), ceil(W / patch)) map per output; with
            ``output_class_token`` one (map, (B, C) class token or mean) pair per
            output.

        Raises:
            ValueError: Not a float image of three channels, or smaller than a patch or
                than a window; or ``hidden`` of another shape, or without mask token.
            RuntimeError: The configured weights have not been loaded.
        """
        return self._to_outputs(*self._encode(image, hidden))

    def _to_outputs(
        self, tokens: list[Tensor], grid: tuple[int, int]
    ) -> tuple[Tensor, ...] | tuple[tuple[Tensor, Tensor], ...]:
        outputs = [self._to_map(x, grid) for x in tokens]
        if not self.output_class_token:
            return tuple(outputs)
        if self.output_class_token == 'mean':
            summaries = [map_.mean((2, 3)) for map_ in outputs]
        else:
            summaries = [x[:, 0].clone() for x in tokens]
        return tuple(zip(outputs, summaries, strict=True))

    def embed_image(self, image: Tensor) -> Tensor:
        """Return the pooled image embedding (PE-Core's CLIP feature, not normalised).

        Args:
            image: As in ``forward``.

        Returns:
            (B, embed_dim); (B, C) for a variant without a projection.

        Raises:
            ValueError: The encoder was built without ``with_pooling=True``.
        """
        self._check_pooling()
        return self._pool(self._encode(image)[0][-1])

    def forward_with_embedding(self, image: Tensor) -> tuple[Any, Tensor]:
        """Return what ``forward`` and ``embed_image`` do, from one pass.

        Args:
            image: As in ``forward``.

        Raises:
            ValueError: The encoder was built without ``with_pooling=True``.
        """
        self._check_pooling()
        tokens, grid = self._encode(image)
        return self._to_outputs(tokens, grid), self._pool(tokens[-1])

    def _check_pooling(self) -> None:
        if not self.with_pooling:
            raise ValueError(
                'this encoder has no pooling; build it with with_pooling=True'
            )

    def _pool(self, last: Tensor) -> Tensor:
        normed = last if self.apply_final_norm else self.norm(last)
        return self.head(self.attn_pool(normed))

    def _encode(
        self, image: Tensor, hidden: Tensor | None = None
    ) -> tuple[list[Tensor], tuple[int, int]]:
        self._check_weights()
        check_image(image, self.patch_embed.proj.weight.dtype, self.patch_size)
        tokens = []
        with _no_grad_if(self.frozen_blocks > 0):
            x, grid = self._embed(image, hidden)
        rope = self._rope(grid, x.device, self.has_class_token)
        if self.window_size is not None:
            windows = Windows(self.window_size, grid, x.device)
            window_rope = self._rope((self.window_size,) * 2, x.device, False)
        inside = False  # Whether x is split into windows.
        for index, (block, windowed) in enumerate(
            zip(self.blocks, self.windowed, strict=True)
        ):
            with _no_grad_if(index < self.frozen_blocks):
                if windowed != inside:
                    x = windows.split(x) if windowed else windows.join(x)
                    inside = windowed
                arguments = (x, window_rope, windows) if windowed else (x, rope)
                if self.with_cp and self.training and torch.is_grad_enabled():
                    x = checkpoint(block, *arguments, use_reentrant=False)
                else:
                    x = block(*arguments)
            if index in self.out_indices:
                tokens.append(windows.join(x) if inside else x)
        if self.apply_final_norm:
            tokens[-1] = self.norm(tokens[-1])
        return tokens, grid

    def _embed(
        self, image: Tensor, hidden: Tensor | None = None
    ) -> tuple[Tensor, tuple[int, int]]:
        height, width = image.shape[-2:]
        grid = self.patch_embed.dynamic_feat_size((height, width))
        x = self.patch_embed(image)
        if hidden is not None:
            token = check_hidden(hidden, (len(image), *grid), self.mask_token)
            x = torch.where(hidden.flatten(1)[..., None], token, x)
        if self.cls_token is not None:
            x = torch.cat([self.cls_token.expand(x.shape[0], -1, -1), x], dim=1)
        x = x + resize_position_embedding(
            self.pos_embed,
            grid,
            class_token=self.has_class_token,
            method=self.position_embedding,
        )
        return self.norm_pre(x), grid

    def _to_map(self, x: Tensor, grid: tuple[int, int]) -> Tensor:
        patches = x[:, int(self.has_class_token) :]
        return patches.transpose(1, 2).unflatten(2, grid).contiguous()

    def _rope(
        self, grid: tuple[int, int], device: torch.device, class_token: bool
    ) -> Tensor:
        return rope_table(
            grid,
            self.variant.head_dim,
            class_token=class_token,
            reference_size=self.rope_reference_size,
            device=device,
        )

    def init_weights(self) -> None:
        """Load the configured weights, or initialise as mmengine does.

        Raises:
            pe_mm.checkpoints.CheckpointError: The weights do not fit this encoder.
        """
        cfg = pretrained_cfg(self.init_cfg)
        if cfg is None:
            super().init_weights()
        elif not self._is_init:
            load_encoder_weights(
                self,
                cfg['checkpoint'],
                prefix=cfg.get('prefix'),
                new_layer_scale=cfg.get('new_layer_scale', False),
            )
            self._is_init = True

    def get_layer_depth(self, param_name: str, prefix: str = '') -> tuple[int, int]:
        """Return how deep a parameter sits, for layer-wise learning rate decay.

        A learning rate factor is ``rate ** (count - 1 - depth)``. The protocol is
        mmpretrain's, whose models ask for their heads' parameters as well.

        Args:
            param_name: Name of a parameter in the whole model.
            prefix: What this encoder's names start with there, such as 'backbone.'.

        Returns:
            The depth and the count of depths: 0 for the embedding, i + 1 for block i,
            and count - 1 for what follows the blocks and for all outside the prefix.

        Raises:
            ValueError: The encoder has no such parameter under the prefix.
        """
        count = len(self.blocks) + 2
        if not param_name.startswith(prefix):
            return count - 1, count
        part, *rest = param_name[len(prefix) :].split('.')
        if not hasattr(self, part):
            raise ValueError(
                f'{param_name!r} is no parameter of this encoder under the prefix '
                f"{prefix!r}; a prefix ends with a dot, as 'backbone.'"
            )
        if part == 'blocks':
            return int(rest[0]) + 1, count
        embedding = ('patch_embed', 'pos_embed', 'cls_token', 'mask_token', 'norm_pre')
        return (0 if part in embedding else count - 1), count

    def no_weight_decay(self) -> set[str]:
        """Return the parameters that timm's recipes do not decay, embeddings."""
        names = {'pos_embed', 'cls_token'}
        return names if self.mask_token is None else names | {'mask_token'}

    def _build_pooling(self) -> None:
        width, embed_dim = self.variant.width, self.variant.embed_dim
        norm: Any = partial(nn.LayerNorm, eps=NORM_EPS)
        self.attn_pool = AttentionPoolLatent(
            width,
            num_heads=POOL_HEADS,
            norm_layer=norm,
        )
        self.head = nn.Linear(width, embed_dim) if embed_dim else nn.Identity()
        if embed_dim:
            # Timm's layout has this bias; Meta's projection has none, so it stays zero.
            self.head.bias.requires_grad_(False)

    def _freeze(self, freeze: bool | int) -> None:
        self.frozen_blocks = count_frozen(freeze, len(self.blocks))
        if freeze is True:
            self._frozen_parts = list(self.children())
        elif freeze:
            blocks = self.blocks[: self.frozen_blocks]
            self._frozen_parts = [self.patch_embed, self.norm_pre, *blocks]
        if freeze:
            self.pos_embed.requires_grad_(False)
            for token in (self.cls_token, self.mask_token):
                if token is not None:
                    token.requires_grad_(False)
        for part in self._frozen_parts:
            part.requires_grad_(False)


def _no_grad_if(frozen: bool) -> AbstractContextManager:
    return torch.no_grad() if frozen else nullcontext()
