"""Encoders from configs, checkpoints and names: the weights, layers and pictures."""

import pytest
import torch
from mmengine.config import Config
from seeded_models import CONFIGS, write_checkpoint

from pe_mm.backbones import PerceptionEncoder
from pe_mm.checkpoints import CheckpointError
from pe_mm.engine import load_config
from pe_mm.engine.encoder_loading import load_encoder
from pe_mm.engine.run_report import file_sha256
from pe_mm.prediction.loading import build_pipeline, load_model

WINDOWED = CONFIGS / 'demo' / 'mask_rcnn_pe_nano_windowed.py'


@pytest.fixture(scope='module')
def checkpoint(tmp_path_factory):
    """Write the seeded weights of the windowed detector."""
    return write_checkpoint(WINDOWED, tmp_path_factory.mktemp('seeded') / 'model.pth')


@pytest.fixture
def config(tmp_path):
    """Return a function that writes the windowed detector's config with changes."""

    def write(**changes):
        path = tmp_path / 'changed.py'
        cfg = Config.fromfile(WINDOWED)
        cfg.merge_from_dict({f'model.{k}': v for k, v in changes.items()})
        cfg.dump(path)
        return path

    return write


def test_load_encoder__config__gives_the_maps_of_the_whole_model(checkpoint):
    images = torch.randint(0, 256, (2, 3, 128, 160), dtype=torch.uint8)
    loaded = load_encoder(WINDOWED, checkpoint)
    cfg = load_config(WINDOWED, launcher='none')
    build_pipeline(cfg)
    model, _ = load_model(cfg, str(checkpoint), torch.device('cpu'))
    data = {'inputs': [image.flip(0) for image in images]}  # The pipeline reads BGR.

    with torch.no_grad():
        expected = model.backbone(model.data_preprocessor(data)['inputs'])
        maps = loaded.encoder(loaded.normalize(images))

    assert [torch.equal(*pair) for pair in zip(maps, expected, strict=True)] == [True]
    assert loaded.label == 'mask_rcnn_pe_nano_windowed'
    assert loaded.weights_hash == file_sha256(checkpoint)
    assert not loaded.encoder.training
    assert not any(p.requires_grad for p in loaded.encoder.parameters())


@pytest.mark.parametrize(('layers', 'blocks'), [((1, 3), 4), ('all', 6), (-3, 4)])
def test_load_encoder__layers__are_those_of_all_and_no_block_is_above(
    checkpoint, layers, blocks
):
    image = torch.rand(1, 3, 128, 128)
    every = load_encoder(WINDOWED, checkpoint, layers='all').encoder(image)

    encoder = load_encoder(WINDOWED, checkpoint, layers=layers).encoder

    assert len(encoder.blocks) == blocks
    for layer, map_ in zip(encoder.out_indices, encoder(image), strict=True):
        assert torch.equal(map_, every[layer])


def test_load_encoder__head_and_norm_options__leave_plain_maps(config, checkpoint):
    path = config(**{'backbone.output_class_token': 'mean', 'backbone.freeze': 2})

    maps = load_encoder(path, checkpoint).encoder(torch.rand(1, 3, 128, 128))

    assert [map_.shape for map_ in maps] == [(1, 128, 8, 8)]


def test_load_encoder__config_without_bgr_to_rgb__feeds_bgr(config, checkpoint):
    path = config(**{'data_preprocessor.bgr_to_rgb': False})
    image = torch.tensor([0.0, 127.5, 255.0]).view(1, 3, 1, 1)

    assert load_encoder(path, checkpoint).normalize(image).flatten().tolist() == [
        1,
        0,
        -1,
    ]
    assert load_encoder(WINDOWED, checkpoint).normalize(image).flatten().tolist() == [
        -1,
        0,
        1,
    ]


def test_load_encoder__teacher_beside_the_backbone__is_not_taken(checkpoint, tmp_path):
    state = torch.load(checkpoint)['state_dict']
    backbone = {k: v for k, v in state.items() if k.startswith('backbone.')}
    torch.save(
        {
            'state_dict': backbone
            | {f'teacher.{k[9:]}': torch.zeros_like(v) for k, v in backbone.items()}
        },
        tmp_path / 'both.pth',
    )

    loaded = load_encoder(WINDOWED, tmp_path / 'both.pth')

    assert torch.equal(loaded.encoder.pos_embed, backbone['backbone.pos_embed'])


@pytest.mark.parametrize(
    ('config', 'prefix'),
    [('stage1_image_text', 'image_encoder.'), ('align_both', 'backbone.')],
)
def test_load_encoder__pretraining_config__gives_its_encoder_on_rgb(
    config, prefix, tmp_path
):
    path = CONFIGS / 'nano' / f'{config}.py'
    model = Config.fromfile(path).model
    cfg = model.get('backbone') or model.image_encoder
    whole = PerceptionEncoder(
        cfg.variant,
        with_mask_token=True,
        with_pooling=cfg.get('with_pooling', False),
    )
    state = {f'{prefix}{key}': value for key, value in whole.state_dict().items()}
    torch.save({'state_dict': state}, tmp_path / 'model.pth')
    images = torch.randint(0, 256, (1, 3, 64, 64), dtype=torch.uint8)

    loaded = load_encoder(path, tmp_path / 'model.pth')

    with torch.no_grad():
        (expected,) = whole.eval()((images.float() - 127.5) / 127.5)
        (found,) = loaded.encoder(loaded.normalize(images))
    torch.testing.assert_close(found, expected)
    assert loaded.encoder.mask_token is None


def test_load_encoder__name_and_file__gives_the_variant(tmp_path):
    encoder = PerceptionEncoder('PE-Spatial-T16-512')
    torch.save(encoder.state_dict(), tmp_path / 'encoder.pth')

    loaded = load_encoder('PE-Spatial-T16-512', tmp_path / 'encoder.pth', layers=(4,))

    expected = encoder.state_dict()
    state = loaded.encoder.state_dict()
    assert all(torch.equal(tensor, expected[name]) for name, tensor in state.items())
    assert (loaded.label, loaded.mean, loaded.bgr) == (
        'PE-Spatial-T16-512',
        (127.5,) * 3,
        False,
    )


def test_load_encoder__no_checkpoint__has_the_same_seeded_weights_for_all_layers():
    whole = load_encoder('PE-Spatial-T16-512', seed=3)
    cut = load_encoder('PE-Spatial-T16-512', layers=(2,), seed=3)
    other = load_encoder('PE-Spatial-T16-512', layers=(2,), seed=4)

    expected = whole.encoder.state_dict()
    state = cut.encoder.state_dict()
    assert all(torch.equal(tensor, expected[name]) for name, tensor in state.items())
    assert not torch.equal(other.encoder.pos_embed, cut.encoder.pos_embed)
    assert (cut.weights, cut.weights_hash) == ('random', 'seed-3')


def test_facts__windows_and_layers__tell_all_global_blocks_whatever_is_built(tmp_path):
    path = tmp_path / 'windowed.py'
    variant = dict(
        depth=4, width=32, heads=2, patch_size=8, image_size=32, class_token=False
    )

    def facts(layers, **options):
        backbone = dict(type='pe_mm.PerceptionEncoder', variant=variant, **options)
        images = dict(mean=[127.5] * 3, std=[127.5] * 3, bgr_to_rgb=True)
        model = dict(backbone=backbone, data_preprocessor=images)
        path.write_text(f"default_scope = 'mmseg'\nmodel = {model!r}\n")
        return load_encoder(path, layers=layers).facts()

    windowed = facts('all', window_size=2, global_blocks=(1, 3))
    assert windowed['global_blocks'] == [1, 3]
    assert windowed['window_size'] == 2
    assert facts((0, 1), window_size=2, global_blocks=(1, 3)) == windowed
    assert facts('all', window_size=2, global_blocks=(1, 2)) != windowed
    plain = facts('all')
    assert {'global_blocks', 'patch_resampling', 'mean'}.isdisjoint(plain)
    assert facts('all', patch_size=16)['patch_resampling'] == 'pseudo_inverse'


def test_load_encoder__timm__is_that_model_with_its_own_mean_and_std(tmp_path):
    name = 'vit_pwee_patch16_reg1_gap_256.sbb_in1k'
    loaded = load_encoder(f'timm/{name}', layers=(1,), seed=3)
    again = load_encoder(f'timm/{name}', layers=(1, 4), seed=3)
    torch.save(again.encoder.model.state_dict(), tmp_path / 'w.pth')
    stored = load_encoder(f'timm/{name}', tmp_path / 'w.pth', layers=(1, 4))

    images = torch.randint(0, 256, (1, 3, 32, 48), dtype=torch.uint8)
    maps = loaded.encoder(loaded.normalize(images))[0]
    assert torch.equal(maps, again.encoder(again.normalize(images))[0])
    assert torch.equal(maps, stored.encoder(stored.normalize(images))[0])
    assert loaded.label == name
    assert loaded.mean == (127.5,) * 3
    assert loaded.weights_hash == 'seed-3'
    assert stored.weights_hash == file_sha256(tmp_path / 'w.pth')


@pytest.mark.parametrize(
    ('source', 'weights', 'layers', 'message'),
    [
        ('PE-Spatial-B', None, None, "did you mean PE-Spatial-B16-512"),
        ('PE-Spatial-T16-512', None, (12,), 'the encoder has blocks 0..11'),
        (str(WINDOWED), 'hub', None, "'hub' needs an official variant"),
        ('timm/vit_dino', None, None, "timm .* has no model 'vit_dino'"),
    ],
)  # fmt: skip
def test_load_encoder__bad_request__is_an_error(source, weights, layers, message):
    with pytest.raises(ValueError, match=message):
        load_encoder(source, weights, layers=layers)


def test_load_encoder__other_backbone_or_no_mean__is_an_error(config):
    with pytest.raises(ValueError, match='is ResNet; layers can be taken out of'):
        load_encoder(config(backbone={'_delete_': True, 'type': 'ResNet'}))
    with pytest.raises(ValueError, match='needs mean and std of three channels'):
        load_encoder(config(**{'data_preprocessor.mean': None}))


def test_load_encoder__weights_of_another_encoder__is_an_error(checkpoint, tmp_path):
    with pytest.raises(CheckpointError, match='does not fit the encoder'):
        load_encoder('PE-Spatial-T16-512', checkpoint)
    with pytest.raises(CheckpointError, match='no checkpoint'):
        load_encoder(WINDOWED, tmp_path / 'no.pth')
