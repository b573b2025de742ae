"""The table of Perception Encoder variants, and the check of custom ones."""

import difflib
import math
import operator
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, SupportsIndex

# Meta's attention pooling always has 8 heads (arXiv 2504.13181, section 2.1).
POOL_HEADS = 8
# Of R, G and B on 0-255: pixels become -1..1 (App. B.1.1).
PE_MEAN = PE_STD = (127.5, 127.5, 127.5)


@dataclass(frozen=True, kw_only=True)
class Variant:
    """Describe one encoder's architecture and where its official weights are.

    Attributes:
        name: Meta's name, or 'custom'.
        depth: Number of transformer blocks.
        width: Channels of a token.
        heads: Attention heads; ``width / heads`` must be a multiple of 4 (2D RoPE).
        mlp_ratio: Hidden width of the MLP divided by ``width``.
        patch_size: Side of a patch in pixels that the weights were trained with.
        image_size: Side of the training image in pixels.
        class_token: Whether a class token is prepended.
        layer_scale: Initial value of LayerScale; None where there is none.
        pool: 'attn' for a pooled image embedding (PE-Core); None without.
        final_norm: Whether a LayerNorm follows the last block (PE-Core).
        embed_dim: Channels of the pooled, projected embedding; None without ``pool``.
        timm_id: Name of the same model in timm; None for custom variants.
        weights: Official weights as ``hf://owner/repo/file``; None for custom variants.
    """

    name: str = 'custom'
    depth: int
    width: int
    heads: int
    mlp_ratio: float = 4.0
    patch_size: int = 16
    image_size: int = 224
    class_token: bool = True
    layer_scale: float | None = None
    pool: str | None = None
    final_norm: bool = False
    embed_dim: int | None = None
    timm_id: str | None = None
    weights: str | None = None

    def __post_init__(self) -> None:
        """Check that the numbers fit together.

        Raises:
            ValueError: A number is not positive, the heads do not divide the width,
                the patch does not divide the image, or the pooling is inconsistent.
        """
        for field in ('depth', 'width', 'heads', 'patch_size', 'image_size'):
            value = check_count(f'variant: {field}', getattr(self, field))
            object.__setattr__(self, field, value)
        for field in ('class_token', 'final_norm'):
            value = getattr(self, field)
            if not isinstance(value, bool):
                raise ValueError(
                    f'variant: {field} must be True or False, got {value!r}'
                )
        for field in ('mlp_ratio', 'layer_scale'):
            value = getattr(self, field)
            if value is None and field == 'layer_scale':
                continue
            if not isinstance(value, (int, float)) or not 0 < value < math.inf:
                raise ValueError(
                    f'variant: {field} must be a number > 0, got {value!r}'
                )
            object.__setattr__(self, field, float(value))
        if self.width % self.heads:
            raise ValueError(
                f'variant: width {self.width} is not divisible by heads {self.heads}; '
                'choose a width that is a multiple of the heads'
            )
        if self.head_dim % 4:
            raise ValueError(
                f'variant: width / heads is {self.head_dim}, but 2D RoPE needs a '
                'multiple of 4 channels per head; change width or heads'
            )
        if self.image_size % self.patch_size:
            raise ValueError(
                f'variant: image_size {self.image_size} is not a multiple of '
                f'patch_size {self.patch_size}'
            )
        if self.mlp_width < 1:
            raise ValueError(
                f'variant: mlp_ratio {self.mlp_ratio} of width {self.width} leaves no '
                'channel'
            )
        self._check_pool()

    def _check_pool(self) -> None:
        if self.pool not in (None, 'attn'):
            raise ValueError(f"variant: pool must be 'attn' or None, got {self.pool!r}")
        if self.embed_dim is not None:
            check_count('variant: embed_dim', self.embed_dim)
            if self.pool is None:
                raise ValueError(
                    f'variant: embed_dim={self.embed_dim} needs pooling; '
                    "pass pool='attn', or leave embed_dim out"
                )
        if self.pool == 'attn' and self.width % POOL_HEADS:
            raise ValueError(
                f"variant: pool='attn' needs a width divisible by its {POOL_HEADS} "
                f'heads, got width {self.width}'
            )

    @property
    def head_dim(self) -> int:
        """Channels of one attention head."""
        return self.width // self.heads

    @property
    def mlp_width(self) -> int:
        """Hidden channels of the MLP."""
        return int(self.width * self.mlp_ratio)

    @property
    def grid_size(self) -> int:
        """Patches along one side of the training image."""
        return self.image_size // self.patch_size


def check_count(name: str, value: SupportsIndex) -> int:
    """Return a count as an int.

    Args:
        name: What it counts, for the message.
        value: Any integer type.

    Raises:
        ValueError: It is no integer, or less than 1.
    """
    if isinstance(value, bool) or not isinstance(value, SupportsIndex):
        raise ValueError(f'{name} must be an int >= 1, got {value!r}')
    if operator.index(value) < 1:
        raise ValueError(f'{name} must be an int >= 1, got {value!r}')
    return operator.index(value)


def _official(name: str, timm_id: str, shape: Variant, **changes: Any) -> Variant:
    return replace(
        shape,
        name=name,
        timm_id=timm_id,
        weights=f'hf://facebook/{name}/{name}.pt',
        **changes,
    )


# Shapes of Meta's released configurations (core/vision_encoder/config.py and the model
# cards of perception_models). PE-Lang is cut after its best layer.
_T = Variant(depth=12, width=192, heads=3)
_S = Variant(depth=12, width=384, heads=6)
_B = Variant(depth=12, width=768, heads=12)
_L = Variant(depth=24, width=1024, heads=16, patch_size=14)
_G = Variant(
    depth=50,
    width=1536,
    heads=16,
    mlp_ratio=8960 / 1536,
    patch_size=14,
    class_token=False,
    image_size=448,
)


def _core(name: str, timm_id: str, shape: Variant, size: int, dim: int) -> Variant:
    return _official(
        name,
        timm_id,
        replace(shape, image_size=size, pool='attn', final_norm=True, embed_dim=dim),
    )


def _lang(name: str, timm_id: str, shape: Variant, depth: int) -> Variant:
    return _official(name, timm_id, shape, depth=depth, image_size=448, layer_scale=0.1)


VARIANTS: dict[str, Variant] = {
    variant.name: variant
    for variant in (
        _core('PE-Core-T16-384', 'vit_pe_core_tiny_patch16_384.fb', _T, 384, 512),
        _core('PE-Core-S16-384', 'vit_pe_core_small_patch16_384.fb', _S, 384, 512),
        _core('PE-Core-B16-224', 'vit_pe_core_base_patch16_224.fb', _B, 224, 1024),
        _core('PE-Core-L14-336', 'vit_pe_core_large_patch14_336.fb', _L, 336, 1024),
        _core('PE-Core-G14-448', 'vit_pe_core_gigantic_patch14_448.fb', _G, 448, 1280),
        _lang('PE-Lang-L14-448', 'vit_pe_lang_large_patch14_448.fb', _L, 23),
        _lang(
            'PE-Lang-L14-448-Tiling',
            'vit_pe_lang_large_patch14_448.fb_tiling',
            _L,
            23,
        ),
        _lang('PE-Lang-G14-448', 'vit_pe_lang_gigantic_patch14_448.fb', _G, 47),
        _lang(
            'PE-Lang-G14-448-Tiling',
            'vit_pe_lang_gigantic_patch14_448.fb_tiling',
            _G,
            47,
        ),
        _official(
            'PE-Spatial-T16-512',
            'vit_pe_spatial_tiny_patch16_512.fb',
            _T,
            image_size=512,
        ),
        _official(
            'PE-Spatial-S16-512',
            'vit_pe_spatial_small_patch16_512.fb',
            _S,
            image_size=512,
        ),
        _official(
            'PE-Spatial-B16-512',
            'vit_pe_spatial_base_patch16_512.fb',
            _B,
            image_size=512,
        ),
        _official(
            'PE-Spatial-L14-448',
            'vit_pe_spatial_large_patch14_448.fb',
            _L,
            image_size=448,
        ),
        _official(
            'PE-Spatial-G14-448',
            'vit_pe_spatial_gigantic_patch14_448.fb',
            _G,
            layer_scale=0.1,
        ),
    )
}


def resolve_variant(variant: str | Mapping[str, Any] | Variant) -> Variant:
    """Turn a name, the fields of a custom variant, or a variant into a variant.

    Args:
        variant: A name of ``VARIANTS``, a mapping of ``Variant``'s fields (``depth``,
            ``width`` and ``heads`` at least), or a ``Variant``.

    Raises:
        ValueError: The name is unknown (the message names the nearest), or a field is
            unknown, missing or out of range.
        TypeError: ``variant`` is none of the three.
    """
    if isinstance(variant, Variant):
        return variant
    if isinstance(variant, str):
        if variant in VARIANTS:
            return VARIANTS[variant]
        lower = {name.lower(): name for name in VARIANTS}
        near = difflib.get_close_matches(variant.lower(), lower, n=3, cutoff=0.4)
        hint = ' or '.join(repr(lower[name]) for name in near)
        raise ValueError(
            f'unknown variant {variant!r}; '
            + (f'did you mean {hint}? ' if hint else '')
            + f'Known: {", ".join(VARIANTS)}; or pass a dict for a custom one'
        )
    if isinstance(variant, Mapping):
        known = [field.name for field in fields(Variant)]
        unknown = sorted(set(variant) - set(known))
        missing = sorted({'depth', 'width', 'heads'} - set(variant))
        if unknown or missing:
            problem = f'unknown {unknown}' if unknown else f'missing {missing}'
            raise ValueError(
                f'custom variant: {problem}; depth, width and heads are needed, '
                f'allowed are {known}'
            )
        return Variant(**variant)
    raise TypeError(
        'variant must be a name or a dict of its fields, '
        f'got {type(variant).__name__}: {variant!r}'
    )
