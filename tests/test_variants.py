"""The table against timm's models, and custom variants."""

import numpy as np
import pytest
import timm
import torch

from pe_mm import PerceptionEncoder
from pe_mm.variants import VARIANTS, Variant, resolve_variant

CUSTOM = dict(depth=2, width=32, heads=4, patch_size=8, image_size=32)


def test_variants__names__are_the_released_models() -> None:
    assert list(VARIANTS) == [
        'PE-Core-T16-384',
        'PE-Core-S16-384',
        'PE-Core-B16-224',
        'PE-Core-L14-336',
        'PE-Core-G14-448',
        'PE-Lang-L14-448',
        'PE-Lang-L14-448-Tiling',
        'PE-Lang-G14-448',
        'PE-Lang-G14-448-Tiling',
        'PE-Spatial-T16-512',
        'PE-Spatial-S16-512',
        'PE-Spatial-B16-512',
        'PE-Spatial-L14-448',
        'PE-Spatial-G14-448',
    ]


@pytest.mark.parametrize('variant', VARIANTS.values(), ids=lambda v: v.name)
def test_variant__full_size__has_timms_parameters(variant: Variant) -> None:
    with torch.device('meta'):
        ours = PerceptionEncoder(variant, with_pooling=variant.pool is not None)
        theirs = timm.create_model(variant.timm_id, pretrained=False)
    shapes = {key: value.shape for key, value in ours.state_dict().items()}
    assert shapes == {key: value.shape for key, value in theirs.state_dict().items()}


@pytest.mark.parametrize('variant', VARIANTS.values(), ids=lambda v: v.name)
def test_variant__name__says_patch_and_image_size(variant: Variant) -> None:
    size, image = variant.name.removesuffix('-Tiling').rsplit('-', 2)[1:]
    assert (int(size[1:]), int(image)) == (variant.patch_size, variant.image_size)
    assert variant.weights == f'hf://facebook/{variant.name}/{variant.name}.pt'


def test_resolve_variant__custom_fields__derives_the_rest() -> None:
    variant = resolve_variant(
        dict(CUSTOM, depth=np.int64(2), mlp_ratio=3, layer_scale=1)
    )
    assert type(variant.depth) is int
    assert (variant.mlp_ratio, variant.layer_scale) == (3.0, 1.0)
    assert (variant.head_dim, variant.mlp_width, variant.grid_size) == (8, 96, 4)
    assert resolve_variant(variant) is variant


@pytest.mark.parametrize(
    ('name', 'nearest'),
    [
        ('PE-Spatial-B16', 'PE-Spatial-B16-512'),
        ('pe-core-l14-336', 'PE-Core-L14-336'),
        ('PE-Core-G14', 'PE-Core-G14-448'),
    ],
)
def test_resolve_variant__unknown_name__names_the_nearest(
    name: str, nearest: str
) -> None:
    with pytest.raises(
        ValueError, match=f'did you mean .*{nearest!r}.*\\? Known: PE-Core'
    ):
        resolve_variant(name)


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (dict(width=33), 'width 33 is not divisible by heads 4'),
        (dict(width=24), 'multiple of 4 channels per head'),
        (dict(image_size=30), 'image_size 30 is not a multiple of patch_size 8'),
        (dict(depth=0), 'depth must be an int >= 1, got 0'),
        (dict(heads=2.0), 'heads must be an int'),
        (dict(mlp_ratio=0), 'mlp_ratio must be a number > 0'),
        (dict(mlp_ratio='4'), "mlp_ratio must be a number > 0, got '4'"),
        (dict(mlp_ratio=float('inf')), 'mlp_ratio must be a number > 0'),
        (dict(mlp_ratio=0.01), 'leaves no channel'),
        (dict(layer_scale='0.1'), 'layer_scale must be a number > 0'),
        (dict(layer_scale=float('nan')), 'layer_scale must be a number > 0'),
        (dict(class_token='no'), "class_token must be True or False, got 'no'"),
        (dict(final_norm=1), 'final_norm must be True or False, got 1'),
        (dict(pool='attn', embed_dim=0), 'embed_dim must be an int >= 1, got 0'),
        (dict(pool='mean'), "pool must be 'attn' or None"),
        (dict(embed_dim=8), "needs pooling; pass pool='attn'"),
        (dict(pool='attn', width=60, heads=3), 'divisible by its 8 heads'),
        (dict(hidden=3), r"unknown \['hidden'\]"),
    ],
)
def test_resolve_variant__bad_field__says_what_is_allowed(
    change: dict, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        resolve_variant(CUSTOM | change)


def test_resolve_variant__missing_field__is_named() -> None:
    with pytest.raises(ValueError, match=r"missing \['heads', 'width'\]"):
        resolve_variant(dict(depth=2))


def test_resolve_variant__other_type__is_refused() -> None:
    with pytest.raises(TypeError, match='name or a dict of its fields, got int'):
        resolve_variant(3)  # type: ignore[arg-type]
