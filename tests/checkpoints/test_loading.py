"""Loads are complete and exact, or refused with what differs."""

import json

import pytest
import timm
import torch
from torch import nn

from helpers import golden, golden_variant
from pe_mm.backbones import PerceptionEncoder
from pe_mm.checkpoints import CheckpointError, load_encoder_weights, loading
from pe_mm.checkpoints.rename_rules import meta_to_ours
from pe_mm.variants import VARIANTS

CORE, SPATIAL = golden('core_cls'), golden('spatial_nocls_layerscale')
CORE_VARIANT, SPATIAL_VARIANT = golden_variant(CORE[0]), golden_variant(SPATIAL[0])


def core_encoder(out_indices='last', **options):
    return PerceptionEncoder(CORE_VARIANT, out_indices, **options)


def spatial_encoder(out_indices='last', **options):
    return PerceptionEncoder(SPATIAL_VARIANT, out_indices, **options)


with torch.device('meta'):
    META_CORE = core_encoder(with_pooling=True)


def assert_loaded(encoder, ours) -> None:
    for key, tensor in encoder.state_dict().items():
        torch.testing.assert_close(tensor, ours[key].to(tensor.dtype), rtol=0, atol=0)


def assert_refused(encoder, source, match, **options) -> None:
    """Check that loading fails with a message and changes nothing."""
    before = {key: tensor.clone() for key, tensor in encoder.state_dict().items()}
    with pytest.raises(CheckpointError, match=match):
        load_encoder_weights(encoder, source, **options)
    assert_loaded(encoder, before)


def test_load__meta_layout__every_parameter_is_set() -> None:
    encoder = core_encoder(with_pooling=True)
    report = load_encoder_weights(encoder, CORE[1])
    assert_loaded(encoder, meta_to_ours(CORE[1]).tensors)
    assert report.loaded == len(encoder.state_dict())
    assert (report.layout, report.skipped, report.warnings) == ('meta', {}, ())


def test_load__own_state_dict__is_loaded_as_it_is() -> None:
    encoder, other = spatial_encoder(), spatial_encoder()
    report = load_encoder_weights(encoder, other.state_dict())
    assert_loaded(encoder, other.state_dict())
    assert (report.layout, report.prefix) == ('timm', '')


@pytest.mark.parametrize(
    ('name', 'like'),
    [
        ('vit_pe_core_large_patch14_336', CORE_VARIANT | {'embed_dim': 1024}),
        ('vit_pe_spatial_gigantic_patch14_448', SPATIAL_VARIANT),
    ],
)
def test_load__timms_own_checkpoint__is_loaded_as_it_is(name, like, tmp_path) -> None:
    options = {field: like[field] for field in ('depth', 'mlp_ratio')}
    model = timm.create_model(name, embed_dim=64, num_heads=4, img_size=112, **options)
    torch.save(model.state_dict(), tmp_path / 'timm.pth')
    encoder = PerceptionEncoder(like, with_pooling=like['pool'] is not None)
    report = load_encoder_weights(encoder, tmp_path / 'timm.pth')
    assert_loaded(encoder, model.state_dict())
    assert (report.loaded, report.skipped) == (len(model.state_dict()), {})


@pytest.mark.parametrize('name', VARIANTS)
def test_load__every_variant__has_timms_names_and_shapes(name) -> None:
    variant = VARIANTS[name]
    with torch.device('meta'):
        theirs = timm.create_model(variant.timm_id.split('.')[0]).state_dict()
        encoder = PerceptionEncoder(
            variant,
            apply_final_norm=variant.final_norm,
            with_pooling=variant.pool is not None,
        )
    report = loading.plan_load(encoder, theirs).report
    assert report.loaded == len(theirs)
    assert not report.skipped
    assert not report.warnings


def test_load__detector_checkpoint__takes_the_backbone(tmp_path) -> None:
    other = spatial_encoder()
    detector = {f'backbone.{key}': t for key, t in other.state_dict().items()}
    detector['neck.convs.0.weight'] = torch.zeros(3)
    checkpoint = {'meta': {'epoch': 1}, 'state_dict': detector, 'optimizer': {}}
    torch.save(checkpoint, tmp_path / 'epoch_1.pth')
    encoder = spatial_encoder()
    report = load_encoder_weights(encoder, tmp_path / 'epoch_1.pth')
    assert_loaded(encoder, other.state_dict())
    assert report.prefix == 'backbone.'
    assert report.skipped == {'neck.convs.0.weight': "outside 'backbone.'"}


def test_load__encoder_without_pooling__skips_it_with_the_reason() -> None:
    report = load_encoder_weights(core_encoder(), CORE[1])
    reasons = {key.split('.')[0]: why for key, why in report.skipped.items()}
    assert reasons == {
        'proj': 'pooling head, not built',
        'attn_pool': 'pooling head, not built',
        'ln_post': 'final norm, not built',
    }
    assert report.loaded + 17 == len(meta_to_ours(CORE[1]).tensors)


def test_load__truncated_encoder__skips_the_blocks_above() -> None:
    encoder = spatial_encoder([2])
    report = load_encoder_weights(encoder, SPATIAL[1])
    assert_loaded(encoder, meta_to_ours(SPATIAL[1]).tensors)
    assert set(report.skipped.values()) == {'block above the last one built'}
    assert {key.split('.')[2] for key in report.skipped} == {'3', '4', '5'}


def test_load__file_of_a_truncated_encoder__fits_one_truncated_as_much_or_more() -> (
    None
):
    short = spatial_encoder([3]).state_dict()
    for last in (3, 1):
        encoder = spatial_encoder([last])
        load_encoder_weights(encoder, short)
        assert_loaded(encoder, short)
    assert_refused(spatial_encoder(), short, r'28 missing: blocks\.4\.gamma_1')


def test_load__rope_buffers__are_skipped() -> None:
    extra = {
        'rope.freqs': torch.zeros(4),
        'blocks.0.attn.rope.pos_embed': torch.zeros(4),
    }
    report = load_encoder_weights(
        spatial_encoder(), spatial_encoder().state_dict() | extra
    )
    assert report.skipped == dict.fromkeys(extra, 'RoPE table, computed')


@pytest.mark.parametrize('key', CORE[1])
def test_load__any_key_missing__is_named(key) -> None:
    state = {name: tensor for name, tensor in CORE[1].items() if name != key}
    with pytest.raises(CheckpointError, match=rf'missing: .*in the file {key}\)'):
        loading.plan_load(META_CORE, state)


def test_load__unexpected_key__is_named_as_in_the_file() -> None:
    extra = {'backbone.blocks.0.attn.q_norm.weight': torch.zeros(4)}
    state = {f'backbone.{k}': v for k, v in spatial_encoder().state_dict().items()}
    assert_refused(
        spatial_encoder(),
        state | extra,
        r'1 unexpected: backbone\.blocks\.0\.attn\.q_norm\.weight',
    )


def test_load__misshapen_key__is_named_with_both_shapes() -> None:
    state = SPATIAL[1] | {'ln_pre.bias': torch.zeros(63)}
    assert_refused(
        spatial_encoder(),
        state,
        r'1 misshapen: norm_pre\.bias \(in the file ln_pre\.bias\) is \(63\) and '
        r'must be \(64\)',
    )


def test_load__many_problems__are_counted_and_cut_short() -> None:
    state = {key: t for key, t in SPATIAL[1].items() if '.mlp.' not in key}
    assert_refused(spatial_encoder(), state, r'24 missing: .* and 14 more')


@pytest.mark.parametrize(
    ('built', 'given', 'hint'),
    [
        ('PE-Spatial-T16-512', 'PE-Core-T16-384', "variant='PE-Core-T16-384'"),
        ('PE-Core-T16-384', 'PE-Spatial-T16-512', 'look like PE-Spatial-T16-512'),
        ('PE-Spatial-T16-512', 'PE-Spatial-S16-512', 'look like PE-Spatial-S16-512'),
        ('PE-Spatial-L14-448', 'PE-Lang-L14-448', 'PE-Lang-L14-448 or .*-Tiling'),
        ('PE-Spatial-G14-448', 'PE-Core-G14-448', 'look like PE-Core-G14-448'),
        ('PE-Core-G14-448', 'PE-Spatial-G14-448', 'look like PE-Spatial-G14-448'),
        ('PE-Lang-G14-448', 'PE-Spatial-G14-448', 'look like PE-Spatial-G14-448'),
    ],
)
def test_load__another_variant__is_named(built, given, hint) -> None:
    with torch.device('meta'):
        encoder = PerceptionEncoder(built)
        weights = PerceptionEncoder(given).state_dict()
    with pytest.raises(CheckpointError, match=rf'does not fit .*{built}.*{hint}'):
        loading.plan_load(encoder, weights)


def detector_weights(variant):
    """Return a detector's encoder: patches of 16, no class token."""
    encoder = PerceptionEncoder(variant, patch_size=16, window_size=8)
    return encoder.state_dict()


@pytest.mark.parametrize(
    ('built', 'given', 'fix'),
    [
        (
            'PE-Spatial-G14-448',
            'PE-Core-G14-448',
            "variant='PE-Core-G14-448', patch_size=16",
        ),
        (
            'PE-Spatial-L14-448',
            'PE-Core-L14-336',
            "variant='PE-Core-L14-336', patch_size=16 and a window_size",
        ),
        (
            'PE-Core-G14-448',
            'PE-Spatial-G14-448',
            "variant='PE-Spatial-G14-448', patch_size=16",
        ),
    ],
)
def test_load__detector_of_another_variant__is_named_with_its_options(
    built, given, fix
) -> None:
    with torch.device('meta'):
        encoder = PerceptionEncoder(built, patch_size=16, window_size=8)
        weights = detector_weights(given)
    with pytest.raises(CheckpointError, match=rf'build the encoder with {fix}$'):
        loading.plan_load(encoder, weights)


@pytest.mark.parametrize('patch_size', [None, 16])
def test_load__detector_of_the_variant_but_damaged__gets_no_hint(patch_size) -> None:
    with torch.device('meta'):
        encoder = PerceptionEncoder(
            'PE-Spatial-G14-448', patch_size=patch_size, window_size=8
        )
        weights = detector_weights('PE-Spatial-G14-448')
    del weights['norm_pre.bias']
    with pytest.raises(CheckpointError, match=r'; 1 missing: norm_pre\.bias$'):
        loading.plan_load(encoder, weights)


def test_load__deeper_variant_cut_to_fit__is_refused_for_the_variant() -> None:
    # The first blocks of -Lang-G and -Spatial-G have the same shapes.
    with torch.device('meta'):
        encoder = PerceptionEncoder('PE-Spatial-G14-448', [40])
        weights = PerceptionEncoder('PE-Lang-G14-448').state_dict()
    with pytest.raises(CheckpointError, match='these look like PE-Lang-G14-448'):
        loading.plan_load(encoder, weights)


def test_load__own_file_that_looks_like_another_variant__warns() -> None:
    # Cut to -Lang-G's 47 blocks, a file of -Spatial-G cannot be told from it.
    with torch.device('meta'):
        encoder = PerceptionEncoder('PE-Spatial-G14-448', [46])
    (warning,) = loading.plan_load(encoder, encoder.state_dict()).report.warnings
    assert 'looks like PE-Lang-G14-448' in warning


def test_load__other_grid_of_a_custom_variant__tells_the_image_size() -> None:
    other = PerceptionEncoder(SPATIAL_VARIANT | {'image_size': 224}).state_dict()
    assert_refused(
        spatial_encoder(),
        other,
        r'pos_embed is \(1, 256, 64\) and must be \(1, 64, 64\).*16x16 positions.*'
        'a custom variant with image_size=224 takes them',
    )


def test_load__core_weights_into_the_same_shapes_without_pooling__warns() -> None:
    variant = CORE_VARIANT | {'pool': None, 'embed_dim': None, 'final_norm': False}
    encoder = PerceptionEncoder(variant)
    report = load_encoder_weights(encoder, CORE[1])
    assert_loaded(encoder, meta_to_ours(CORE[1]).tensors)
    (warning,) = report.warnings
    assert (
        'an attention pooling and a final norm, which custom does not have' in warning
    )


@pytest.mark.parametrize('layout', ['meta', 'timm'])
def test_load__openai_clip__is_refused_though_its_names_agree(layout) -> None:
    state = {key: t for key, t in CORE[1].items() if not key.startswith('attn_pool')}
    state = state if layout == 'meta' else meta_to_ours(state).tensors
    assert_refused(core_encoder(), state, 'projection but no attention pooling')


@pytest.mark.parametrize(
    ('clip', 'variant'),
    [
        ('vit_base_patch16_clip_224', 'PE-Core-B16-224'),
        ('vit_large_patch14_clip_336', 'PE-Core-L14-336'),
    ],
)
def test_load__timms_other_clips_without_their_heads__warn(clip, variant) -> None:
    with torch.device('meta'):
        weights = timm.create_model(clip, num_classes=0).state_dict()
        encoder = PerceptionEncoder(variant)
    (warning,) = loading.plan_load(encoder, weights).report.warnings
    assert 'may be the weights of another CLIP' in warning
    # Our own file of an encoder that applies the norm has the same names.
    own = PerceptionEncoder(CORE_VARIANT, apply_final_norm=True)
    report = loading.plan_load(core_encoder(apply_final_norm=True), own.state_dict())
    assert not report.report.warnings


@pytest.mark.parametrize(
    ('given', 'built'), [((14, 112), (16, 128)), ((16, 128), (14, 112))]
)
def test_load__other_patch_size__resamples_the_kernel_alone(given, built) -> None:
    fields = ('patch_size', 'image_size')
    weights = PerceptionEncoder(
        SPATIAL_VARIANT | dict(zip(fields, given, strict=True))
    ).state_dict()
    encoder = PerceptionEncoder(SPATIAL_VARIANT | dict(zip(fields, built, strict=True)))
    report = load_encoder_weights(encoder, weights)
    key, size = 'patch_embed.proj.weight', [built[0]] * 2
    expected = timm.layers.resample_patch_embed(weights[key], size)
    assert_loaded(encoder, weights | {key: expected})
    change = f'patch kernel resampled from {given[0]}x{given[0]} to {size[0]}x{size[1]}'
    assert report.resampled == {key: change}


def test_load__patch_size_of_the_encoder__resamples_official_weights() -> None:
    encoder = spatial_encoder(patch_size=16)
    report = load_encoder_weights(encoder, SPATIAL[1])
    assert list(report.resampled) == ['patch_embed.proj.weight']


@pytest.mark.parametrize('stored', [torch.float16, torch.bfloat16, torch.float64])
@pytest.mark.parametrize('wanted', [torch.float32, torch.bfloat16])
def test_load__other_dtype__goes_into_the_encoders(stored, wanted) -> None:
    state = {key: tensor.to(stored) for key, tensor in SPATIAL[1].items()}
    encoder = spatial_encoder().to(wanted)
    load_encoder_weights(encoder, state)
    assert {p.dtype for p in encoder.parameters()} == {wanted}
    assert_loaded(encoder, meta_to_ours(state).tensors)


@pytest.mark.parametrize('value', [float('nan'), float('inf')])
def test_load__values_that_are_not_finite__are_refused(value) -> None:
    bad = SPATIAL[1]['ln_pre.bias'].clone()
    bad[3] = value
    state = SPATIAL[1] | {'ln_pre.bias': bad}
    assert_refused(
        spatial_encoder(), state, r'NaN or infinite values in norm_pre\.bias'
    )


@pytest.mark.parametrize('dtype', [torch.int8, torch.bool, torch.complex64])
@pytest.mark.parametrize('key', ['ln_pre.bias', 'conv1.weight'])
def test_load__numbers_that_are_no_real_floats__are_refused(key, dtype) -> None:
    state = SPATIAL[1] | {key: SPATIAL[1][key].to(dtype)}
    # Another patch size: a resampled kernel is refused too.
    encoder = spatial_encoder(patch_size=16)
    assert_refused(encoder, state, f'{dtype}; weights must be real floating point')


def test_load__empty_position_embedding__is_misshapen() -> None:
    state = CORE[1] | {'positional_embedding': torch.zeros(0, 64)}
    assert_refused(core_encoder(), state, r'pos_embed .* is \(1, 0, 64\)')


def test_load__empty_patch_kernel__is_misshapen() -> None:
    state = SPATIAL[1] | {'conv1.weight': torch.zeros(64, 3, 0, 0)}
    assert_refused(spatial_encoder(), state, r'is \(64, 3, 0, 0\) and must be')


@pytest.mark.parametrize(
    ('wrap', 'place'),
    [
        (lambda encoder: nn.ModuleDict({'backbone': encoder}), 'backbone'),
        (nn.DataParallel, 'module'),
        (lambda encoder: nn.DataParallel(nn.Sequential(encoder)), r'module\.0'),
    ],
)
def test_load__model_around_the_encoder__says_where_it_is(wrap, place) -> None:
    match = rf'must be a PerceptionEncoder, got \w+; pass .* in it: model\.{place}$'
    with pytest.raises(TypeError, match=match):
        load_encoder_weights(wrap(spatial_encoder()), SPATIAL[1])


def test_load__something_else_than_an_encoder__is_an_error() -> None:
    with pytest.raises(TypeError, match='PerceptionEncoder, got Linear$'):
        load_encoder_weights(nn.Linear(1, 1), SPATIAL[1])


def test_load__compiled_encoder__is_loaded() -> None:
    encoder = spatial_encoder()
    load_encoder_weights(torch.compile(encoder), SPATIAL[1])
    assert_loaded(encoder, meta_to_ours(SPATIAL[1]).tensors)


def test_load__encoder_on_the_meta_device__is_refused() -> None:
    with torch.device('meta'):
        encoder = spatial_encoder()
    with pytest.raises(CheckpointError, match='meta device.*to_empty'):
        load_encoder_weights(encoder, SPATIAL[1])


def test_load__prefix__chooses_among_encoders() -> None:
    student, teacher = spatial_encoder(), spatial_encoder()
    both = {f'student.{key}': t for key, t in student.state_dict().items()}
    both |= {f'teacher.net.{key}': t for key, t in teacher.state_dict().items()}
    encoder = spatial_encoder()
    assert_refused(encoder, both, 'several encoders')
    load_encoder_weights(encoder, both, prefix='teacher.net')
    assert_loaded(encoder, teacher.state_dict())


def test_load__frozen_encoder__is_loaded_and_stays_frozen() -> None:
    encoder = spatial_encoder(freeze=True)
    load_encoder_weights(encoder, SPATIAL[1])
    assert_loaded(encoder, meta_to_ours(SPATIAL[1]).tensors)
    assert not any(p.requires_grad for p in encoder.parameters())


def test_load__source__is_not_changed() -> None:
    before = {key: tensor.clone() for key, tensor in SPATIAL[1].items()}
    load_encoder_weights(spatial_encoder(), SPATIAL[1])
    assert list(SPATIAL[1]) == list(before)
    assert all(torch.equal(SPATIAL[1][key], before[key]) for key in before)


def test_init_weights__pretrained_config__loads_and_checks(tmp_path) -> None:
    torch.save(SPATIAL[1], tmp_path / 'weights.pt')
    cfg = {'type': 'Pretrained', 'checkpoint': str(tmp_path / 'weights.pt')}
    encoder = spatial_encoder(init_cfg=cfg)
    encoder.init_weights()
    assert_loaded(encoder, meta_to_ours(SPATIAL[1]).tensors)
    with pytest.raises(CheckpointError, match='missing'):
        core_encoder(init_cfg=cfg).init_weights()


def test_report__as_json_and_text__tells_source_and_reasons(tmp_path) -> None:
    torch.save(CORE[1], tmp_path / 'core.pt')
    report = load_encoder_weights(core_encoder([1]), tmp_path / 'core.pt')
    told = json.loads(report.to_json())
    assert told['source'] == str(tmp_path / 'core.pt')
    assert told['skipped']['ln_post.bias'] == 'final norm, not built'
    text = str(report)
    assert f'loaded {report.loaded} tensors' in text
    assert 'skipped 48 (block above the last one built)' in text
