from types import SimpleNamespace

import pytest
import torch
from image_text_models import MASKED, TEXT, VARIANT, samples, tiny_model
from mmengine.runner import load_checkpoint, save_checkpoint

from helpers import golden, golden_variant, image
from pe_mm import PerceptionEncoder
from pe_mm.checkpoints import CheckpointError, convert_state_dict, load_encoder_weights
from pe_mm.cli.test import load_weights
from pe_mm.contrastive import ImageTextModel, load_image_text_weights


@pytest.fixture(scope='module')
def meta():
    """Return the golden case of Meta's two towers and the fields of ours."""
    config, state_dict, arrays = golden('clip_two_towers')
    fields = dict(
        image_encoder=dict(
            type='pe_mm.PerceptionEncoder',
            variant=golden_variant({'config': config['vision']}),
            with_pooling=True,
        ),
        text_encoder={
            key: value for key, value in config['text'].items() if key != 'output_dim'
        },
    )
    return fields, state_dict, arrays, config


def assert_golden(features, expected):
    expected = torch.from_numpy(expected)
    torch.testing.assert_close(
        features, expected, rtol=0, atol=1e-4 * expected.abs().max().item()
    )


@torch.no_grad()
def test_load__metas_checkpoint__gives_metas_features(meta):
    fields, state_dict, arrays, config = meta
    model = ImageTextModel(**fields).eval()
    report = load_image_text_weights(model, state_dict)
    assert report.loaded == len(model.state_dict())
    assert report.skipped == {}
    captions = config['captions']
    assert model.tokenizer(captions).tolist() == arrays['token_ids'].tolist()
    raw = model.encode_text(captions, normalize=False)
    assert_golden(raw, arrays['text_features_raw'])
    assert_golden(model.encode_text(captions), arrays['text_features'])
    images = image((2, 3, *config['image_size']), config['image_seed'])
    assert_golden(model.encode_image(images), arrays['image_features'])
    video = image(config['video_shape'], config['video_seed'])
    assert_golden(model.encode_video(video), arrays['video_features'])
    assert_golden(model.logit_scale.exp(), arrays['logit_scale_exp'])


def test_pe_mm_test__file_of_meta__loads_both_towers(meta, tmp_path):
    fields, state_dict, _, _ = meta
    path = tmp_path / 'towers.pt'
    torch.save(state_dict, path)
    runner = SimpleNamespace(model=ImageTextModel(**fields), _has_loaded=False)

    load_weights(runner, str(path))

    wanted = ImageTextModel(**fields)
    load_image_text_weights(wanted, state_dict)
    found = runner.model.state_dict()
    assert all(found[k].equal(v) for k, v in wanted.state_dict().items())
    assert runner._has_loaded
    torch.save({'visual.conv1.weight': torch.ones(3)}, path)
    with pytest.raises(CheckpointError, match='is not of the model in the config: '):
        load_weights(runner, str(path))


def test_init_weights__file_of_meta__loads_both_towers_once(meta, tmp_path):
    fields, state_dict, _, _ = meta
    torch.save(state_dict, tmp_path / 'towers.pt')
    cfg = dict(type='Pretrained', checkpoint=str(tmp_path / 'towers.pt'))
    model = ImageTextModel(**fields, init_cfg=cfg)
    with pytest.raises(RuntimeError, match='configured but not loaded'):
        model(torch.zeros(1, 3, 56, 56))
    model.init_weights()
    tokens = model.text_encoder.token_embedding.weight
    assert tokens.equal(state_dict['token_embedding.weight'])
    assert model(torch.zeros(1, 3, 56, 56)).shape == (1, 32)
    torch.nn.init.zeros_(tokens)
    model.init_weights()
    assert not tokens.any()


@pytest.mark.parametrize('change', ['missing', 'unexpected', 'misshapen'])
def test_load__both_towers_differ__is_one_error_that_names_all(meta, change):
    fields, state_dict, _, _ = meta
    state_dict = dict(state_dict)
    names = ['ln_final.weight', 'visual.ln_pre.weight']
    for name in names:
        if change == 'missing':
            del state_dict[name]
        elif change == 'misshapen':
            state_dict[name] = torch.ones(63)
        else:
            state_dict[f'{name}.more'] = torch.ones(3)
    model = ImageTextModel(**fields)
    before = {key: tensor.clone() for key, tensor in model.state_dict().items()}
    with pytest.raises(CheckpointError, match=change) as error:
        load_image_text_weights(model, state_dict)
    for name in names:
        assert name.removeprefix('visual.') in str(error.value)
    assert 'The weights have' not in str(error.value)
    assert all(tensor.equal(before[key]) for key, tensor in model.state_dict().items())


def test_load__another_text_tower__tells_its_fields(meta):
    fields, state_dict, _, _ = meta
    text = fields['text_encoder'] | dict(context_length=16)
    model = ImageTextModel(fields['image_encoder'], text)
    with pytest.raises(
        CheckpointError,
        match=r'positional_embedding is \(32, 64\) and must be \(16, 64\).*'
        r'context_length=32, width=64, layers=3, vocab_size=49408',
    ):
        load_image_text_weights(model, state_dict)


def test_load__open_clips_names__are_understood():
    model, other = tiny_model(), tiny_model()
    names = (('image_encoder.', 'visual.trunk.'), ('text_encoder.', 'text.'))
    state_dict = model.state_dict()
    for ours, theirs in names:
        state_dict = {
            key.replace(ours, theirs, 1): 2 * tensor
            for key, tensor in state_dict.items()
        }
    load_image_text_weights(other, state_dict)
    for key, tensor in other.state_dict().items():
        torch.testing.assert_close(tensor, 4 * model.state_dict()[key])


def test_load__encoder_alone__says_how_to_start_from_it():
    encoder = PerceptionEncoder(VARIANT, with_pooling=True)
    with pytest.raises(CheckpointError, match=r"under ''.*image_encoder\.init_cfg="):
        load_image_text_weights(tiny_model(), encoder.state_dict())


@pytest.mark.parametrize(
    ('encoder', 'options', 'message'),
    [
        ({}, dict(pretrained=True), 'needs an official variant'),
        (
            dict(init_cfg=dict(type='Pretrained', checkpoint='a.pt')),
            dict(init_cfg=dict(type='Pretrained', checkpoint='b.pt')),
            r"whole model \('b.pt'\) and for its encoder \('a.pt'\)",
        ),
    ],
)
def test_build__weights_from_nowhere_or_two_places__says_so(encoder, options, message):
    with pytest.raises(ValueError, match=message):
        tiny_model(encoder=encoder, **options)


@pytest.fixture
def trained(tmp_path):
    """Return a model with a mask token, and its checkpoint as mmengine saves it."""
    model = tiny_model(mask_regularization=MASKED)
    torch.nn.init.normal_(model.image_encoder.mask_token)
    path = tmp_path / 'iter_3.pth'
    save_checkpoint({'state_dict': model.state_dict(), 'meta': {}}, str(path))
    return model, path


def test_load__trained_here__is_the_same_model_mask_token_too(trained):
    model, path = trained
    other = tiny_model(
        mask_regularization=MASKED,
        init_cfg=dict(type='Pretrained', checkpoint=str(path)),
    )
    torch.nn.init.zeros_(other.image_encoder.mask_token)
    other.init_weights()
    for key, tensor in model.state_dict().items():
        assert tensor.equal(other.state_dict()[key]), key


def test_load__second_stage_without_mask_token__drops_it(trained):
    _, path = trained
    report = load_image_text_weights(tiny_model(), path)
    assert list(report.skipped) == ['image_encoder.mask_token']


@pytest.mark.parametrize('prefix', [None, 'image_encoder.'])
def test_load_encoder_weights__trained_model__loads_its_image_tower(trained, prefix):
    model, path = trained
    encoder = PerceptionEncoder(VARIANT, with_pooling=True).eval()
    report = load_encoder_weights(encoder, path, prefix=prefix)
    assert report.prefix == 'image_encoder.'
    assert report.skipped.pop('image_encoder.mask_token').startswith('mask token')
    assert report.skipped.pop('logit_scale') == 'text tower'
    assert set(report.skipped.values()) == {'text tower'}
    images = torch.randn(1, 3, 32, 32)
    torch.testing.assert_close(
        encoder.embed_image(images), model.image_encoder.embed_image(images)
    )


def test_convert__trained_model__drops_the_mask_token_with_a_reason(trained):
    model, path = trained
    conversion = convert_state_dict(torch.load(path), 'timm')
    assert 'mask token' in conversion.skipped['image_encoder.mask_token']
    assert 'mask_token' not in conversion.tensors
    kernel = model.image_encoder.patch_embed.proj.weight
    assert conversion.tensors['patch_embed.proj.weight'].equal(kernel)


def test_convert__after_training_steps__has_metas_layout():
    model = tiny_model(mask_regularization=MASKED).train()
    trained = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained, 0.01)
    images, pairs = torch.randn(2, 3, 32, 32), samples(['a cat', 'a dog'])
    for _ in range(2):
        losses = model(images, pairs, mode='loss')
        (losses['loss_contrastive'] + losses['loss_mask']).backward()
        optimizer.step()
    model.eval()

    conversion = convert_state_dict(model.state_dict(), 'meta')
    projection = conversion.tensors['proj']
    assert projection.equal(model.image_encoder.head.weight.T)
    other = PerceptionEncoder(VARIANT, with_pooling=True).eval()
    load_encoder_weights(other, conversion.tensors)
    torch.testing.assert_close(
        other.embed_image(images), model.image_encoder.embed_image(images)
    )


def test_load_checkpoint__by_mmengine__allows_to_run(trained):
    _, path = trained
    model = tiny_model(
        mask_regularization=MASKED,
        init_cfg=dict(type='Pretrained', checkpoint='not_there.pt'),
    )
    load_checkpoint(model, str(path), strict=True)
    assert model(torch.zeros(1, 3, 32, 32)).shape == (1, TEXT['width'] // 2)
