"""Weights of Meta's detectors, and of encoders with windows, which have no token."""

import pytest
import torch

from helpers import golden, golden_variant
from pe_mm.backbones import PerceptionEncoder
from pe_mm.checkpoints import CheckpointError, load_encoder_weights
from pe_mm.checkpoints.loading import plan_load
from pe_mm.checkpoints.rename_rules import meta_to_ours

CONFIG, META, _ = golden('spatial_cls_patch16')
VARIANT = golden_variant(CONFIG)
ROWS = META['positional_embedding']
DROPPED = {'pos_embed': "the class token's row dropped"}
# A detector's encoder: one more dimension, and no token.
DETECTOR = {key: t for key, t in META.items() if key != 'class_embedding'}
DETECTOR['positional_embedding'] = ROWS[None, 1:]
ROPE = {
    'rope_win.freqs_cos': torch.zeros(16, 16),
    'rope_glb.freqs_sin': torch.zeros(64, 16),
    'transformer.resblocks.0.attn.rope.freqs_cos': torch.zeros(16, 16),
    'transformer.resblocks.5.attn.rope.freqs_sin': torch.zeros(64, 16),
}
WINDOWS = dict(window_size=4, global_blocks=(2, 5))


def windowed_encoder() -> PerceptionEncoder:
    return PerceptionEncoder(VARIANT, **WINDOWS)


def assert_loaded(encoder: PerceptionEncoder) -> None:
    wanted = meta_to_ours(META).tensors | {'pos_embed': ROWS[None, 1:]}
    for key, tensor in encoder.state_dict().items():
        assert torch.equal(tensor, wanted[key]), key


@pytest.mark.parametrize('name', ['meta', 'ours'])
def test_load__official_file_with_a_token__drops_it_and_its_row(name) -> None:
    state = META if name == 'meta' else meta_to_ours(META).tensors
    token = 'class_embedding' if name == 'meta' else 'cls_token'
    encoder = windowed_encoder()
    report = load_encoder_weights(encoder, state)
    assert_loaded(encoder)
    assert report.skipped == {token: 'class token, not built'}
    assert report.resampled == DROPPED
    assert report.warnings == ()
    assert report.loaded == len(encoder.state_dict()) == len(META) - 1
    assert f'pos_embed: {DROPPED["pos_embed"]}' in str(report)
    assert f'skipped 1 (class token, not built): {token}' in str(report)


@pytest.mark.parametrize('rows', [ROWS, ROWS[None], ROWS[1:], ROWS[None, 1:]])
def test_load__detector_without_token__fits_with_its_row_or_without(rows) -> None:
    encoder = windowed_encoder()
    report = load_encoder_weights(encoder, DETECTOR | {'positional_embedding': rows})
    assert_loaded(encoder)
    assert report.skipped == {}
    assert report.resampled == (DROPPED if rows.shape[-2] == 65 else {})


@pytest.mark.parametrize('shape', [(65, 64), (1, 65, 64), (1, 64, 64)])
def test_load__variant_without_token__takes_metas_detection_layout(shape) -> None:
    config, state, _ = golden('spatial_nocls_layerscale')
    encoder = PerceptionEncoder(golden_variant(config))
    rows = torch.randn(shape)
    load_encoder_weights(encoder, state | {'positional_embedding': rows})
    assert torch.equal(encoder.pos_embed[0], rows.reshape(-1, 64)[-64:])


def test_load__detectron2_checkpoint__takes_the_encoder_and_drops_the_tables() -> None:
    detector = {f'backbone.net.{key}': t for key, t in (DETECTOR | ROPE).items()}
    outside = {
        'backbone.simfp_2.4.norm.weight': torch.zeros(1),
        'proposal_generator.rpn_head.conv.conv0.weight': torch.zeros(1),
        # Names that the encoder has as well.
        'roi_heads.box_head.conv1.weight': torch.zeros(1),
    }
    encoder = windowed_encoder()
    report = load_encoder_weights(
        encoder, {'model': detector | outside, 'iteration': 1}
    )
    assert_loaded(encoder)
    assert (report.layout, report.prefix) == ('meta', 'backbone.net.')
    assert report.skipped == dict.fromkeys(outside, "outside 'backbone.net.'") | {
        f'backbone.net.{key}': 'RoPE table, computed' for key in ROPE
    }


def test_load__deta_checkpoint__takes_the_encoder_and_skips_its_pyramid() -> None:
    body = DETECTOR | ROPE | {'fpn1.0.weight': torch.zeros(64, 32, 2, 2)}
    detector = {f'backbone.0.body.{key}': tensor for key, tensor in body.items()}
    outside = {
        'transformer.level_embed': torch.zeros(1),
        'transformer.encoder.layers.0.norm1.weight': torch.zeros(1),
        'class_embed.0.bias': torch.zeros(1),
    }
    encoder = windowed_encoder()
    report = load_encoder_weights(encoder, {'model': detector | outside, 'epoch': 2})
    assert_loaded(encoder)
    assert report.prefix == 'backbone.0.body.'
    assert report.skipped == dict.fromkeys(outside, "outside 'backbone.0.body.'") | {
        **{f'backbone.0.body.{key}': 'RoPE table, computed' for key in ROPE},
        'backbone.0.body.fpn1.0.weight': "pyramid of Meta's DETA",
    }


@pytest.mark.parametrize(
    ('name', 'prefix', 'skipped'),
    [('vitdet_window4', 'net.', 32), ('deta_window3_padded', '', 2)],
)
def test_load__golden_detector__accounts_for_every_key(name, prefix, skipped) -> None:
    config, state, _ = golden(name)
    meta = config['config']
    encoder = PerceptionEncoder(
        dict(
            depth=meta['depth'],
            width=meta['embed_dim'],
            heads=meta['num_heads'],
            patch_size=16,
            image_size=meta['pretrain_img_size'],
            class_token=False,
            layer_scale=0.1,
        ),
        window_size=meta['window_size'],
    )
    report = load_encoder_weights(encoder, state)
    assert report.prefix == prefix
    assert len(report.skipped) == skipped
    assert report.loaded + skipped == len(state)


def test_load__windowed_file__goes_into_a_windowed_encoder_of_any_window() -> None:
    encoder = windowed_encoder()
    load_encoder_weights(encoder, META)
    other = PerceptionEncoder(VARIANT, window_size=3, rope='rescale')
    report = load_encoder_weights(other, encoder.state_dict())
    assert_loaded(other)
    assert (report.skipped, report.resampled, report.warnings) == ({}, {}, ())


@pytest.mark.parametrize(
    'variant', ['PE-Core-B16-224', 'PE-Spatial-L14-448', 'PE-Lang-L14-448']
)
def test_load__official_variant__goes_into_windows_without_doubts(variant) -> None:
    with torch.device('meta'):
        whole = PerceptionEncoder(variant).state_dict()
        encoder = PerceptionEncoder(variant, **WINDOWS)
    report = plan_load(encoder, whole).report
    assert report.skipped == {'cls_token': 'class token, not built'}
    assert (report.resampled, report.warnings) == (DROPPED, ())
    assert plan_load(encoder, encoder.state_dict()).report.warnings == ()


@pytest.mark.parametrize('rows', [ROWS, ROWS[1:], ROWS[None], ROWS[None, 1:]])
def test_load__weights_without_token_into_an_encoder_with_one__are_refused(
    rows,
) -> None:
    encoder = PerceptionEncoder(VARIANT)
    before = {key: tensor.clone() for key, tensor in encoder.state_dict().items()}
    match = (
        r'1 missing: cls_token \(in the file class_embedding\).*'
        'only an encoder with window_size takes weights without class token'
    )
    with pytest.raises(CheckpointError, match=match):
        load_encoder_weights(encoder, DETECTOR | {'positional_embedding': rows})
    for key, tensor in encoder.state_dict().items():
        assert torch.equal(tensor, before[key]), key


def test_load__token_into_a_variant_without__is_unexpected() -> None:
    config, state, _ = golden('spatial_nocls_layerscale')
    encoder = PerceptionEncoder(golden_variant(config), **WINDOWS)
    with pytest.raises(CheckpointError, match='1 unexpected: class_embedding'):
        load_encoder_weights(encoder, state | {'class_embedding': torch.zeros(64)})


@pytest.mark.parametrize('rows', [66, 81, 82])
def test_load__positions_of_another_grid__are_misshapen(rows) -> None:
    state = DETECTOR | {'positional_embedding': torch.zeros(1, rows, 64)}
    match = rf'pos_embed .* is \(1, {rows}, 64\) and must be \(1, 64, 64\)'
    with pytest.raises(CheckpointError, match=match):
        load_encoder_weights(windowed_encoder(), state)


@pytest.mark.parametrize('token', [False, True])
def test_load__other_grid_of_a_windowed_variant__tells_the_image_size(token) -> None:
    windows = {} if token else WINDOWS
    other = PerceptionEncoder(VARIANT | {'image_size': 256}, **windows).state_dict()
    with pytest.raises(
        CheckpointError, match='a custom variant with image_size=256 takes them'
    ):
        load_encoder_weights(windowed_encoder(), other)


def test_load__one_bad_tensor_of_fitting_weights__gives_no_hint_about_tokens() -> None:
    for state in (META, DETECTOR):
        with pytest.raises(CheckpointError, match=r'must be \(64\)$'):
            load_encoder_weights(
                windowed_encoder(), state | {'ln_pre.bias': torch.zeros(63)}
            )


@pytest.mark.parametrize(
    ('built', 'given', 'options'),
    [
        ('PE-Spatial-G14-448', 'PE-Core-G14-448', "variant='PE-Core-G14-448'"),
        ('PE-Core-G14-448', 'PE-Spatial-G14-448', "variant='PE-Spatial-G14-448'"),
        ('PE-Spatial-L14-448', 'PE-Spatial-B16-512', "variant='PE-Spatial-B16-512'"),
    ],
)
def test_load__detectors_encoder_of_another_variant__names_that(
    built, given, options
) -> None:
    windows = dict(patch_size=16, window_size=32, rope='rescale')
    with torch.device('meta'):
        encoder = PerceptionEncoder(built, **windows)
        state = PerceptionEncoder(given, **windows).state_dict()
    with pytest.raises(CheckpointError, match=f'build the encoder with {options}'):
        plan_load(encoder, state)
