"""Models from configs and checkpoints: strict, safe, without pretrained weights."""

import pickle

import pytest
import torch
from mmengine.config import Config

from pe_mm.checkpoints import CheckpointError
from pe_mm.engine import load_config
from pe_mm.prediction.loading import build_pipeline, find_device, load_model

CPU = torch.device('cpu')


def test_load_model__seeded_weights__are_all_there_in_eval_mode(seeded, loaded):
    _, _, model, _ = loaded('detection')

    saved = torch.load(seeded('detection')[1])['state_dict']
    state = model.state_dict()
    assert state.keys() == saved.keys()
    assert all(torch.equal(state[key], tensor) for key, tensor in saved.items())
    assert not any(module.training for module in model.modules())


def test_load_model__pretrained_backbone__is_not_looked_for(seeded):
    config, checkpoint = seeded('segmentation')
    cfg = load_config(config, launcher='none')
    cfg.model.backbone.init_cfg = dict(type='Pretrained', checkpoint='/no/such.pt')
    build_pipeline(cfg)

    model, _ = load_model(cfg, str(checkpoint), CPU)

    assert len(model.backbone(torch.zeros(1, 3, 32, 32))) == 2


def test_load_model__sync_bn__runs_on_the_cpu(loaded):
    _, _, model, _ = loaded('segmentation')

    assert not any(isinstance(m, torch.nn.SyncBatchNorm) for m in model.modules())


def test_load_model__meta__is_the_checkpoints(seeded, tmp_path):
    config, checkpoint = seeded('segmentation')
    content = torch.load(checkpoint)
    content['meta'] = {'dataset_meta': {'classes': ('dark', 'bright')}}
    torch.save(content, tmp_path / 'named.pth')
    cfg = load_config(config, launcher='none')
    build_pipeline(cfg)

    _, meta = load_model(cfg, str(tmp_path / 'named.pth'), CPU)

    assert meta['dataset_meta']['classes'] == ('dark', 'bright')


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        ({'state_dict': {}}, 'none of the model.s 29 weights named backbone'),
        ([1, 2], 'holds no state dict'),
        ('without a head', 'is not of the model in the config: .*decode_head'),
        ('with another part', 'is not of the model in the config: .*second.weight'),
    ],
)
def test_load_model__other_contents__is_an_error(seeded, tmp_path, content, message):
    config, checkpoint = seeded('segmentation')
    if isinstance(content, str):
        state = torch.load(checkpoint)['state_dict']
        if content == 'without a head':
            state = {k: v for k, v in state.items() if k.startswith('backbone.')}
        else:
            state['second.weight'] = torch.zeros(1)
        content = {'state_dict': state}
    torch.save(content, tmp_path / 'other.pth')
    cfg = load_config(config, launcher='none')
    build_pipeline(cfg)

    with pytest.raises(CheckpointError, match='(?s)' + message):
        load_model(cfg, str(tmp_path / 'other.pth'), CPU)


def test_load_model__missing_or_unsafe_file__is_an_error(seeded, tmp_path):
    cfg = load_config(seeded('segmentation')[0], launcher='none')
    build_pipeline(cfg)
    (tmp_path / 'code.pth').write_bytes(pickle.dumps(print))

    with pytest.raises(CheckpointError, match=r'no\.pth does not exist'):
        load_model(cfg, str(tmp_path / 'no.pth'), CPU)
    with pytest.raises(CheckpointError, match='damaged, or holds code'):
        load_model(cfg, str(tmp_path / 'code.pth'), CPU)


def test_load_model__no_model_or_an_unknown_one__is_an_error(seeded):
    config, checkpoint = seeded('segmentation')
    cfg = load_config(config, launcher='none')
    build_pipeline(cfg)

    cfg.model.type = 'NoSuchModel'
    with pytest.raises(ValueError, match='NoSuchModel is not in'):
        load_model(cfg, str(checkpoint), CPU)
    with pytest.raises(ValueError, match='has no model'):
        load_model(Config({}), str(checkpoint), CPU)


def test_build_pipeline__unknown_transform__is_an_error(seeded):
    cfg = load_config(seeded('segmentation')[0], launcher='none')
    cfg.test_dataloader.dataset.pipeline.append({'type': 'NoSuchTransform'})

    with pytest.raises(ValueError, match='NoSuchTransform is not in'):
        build_pipeline(cfg)


def test_find_device__cpu_and_default__work():
    assert find_device('cpu') == CPU
    assert find_device(None).type == ('cuda' if torch.cuda.is_available() else 'cpu')


@pytest.mark.parametrize('name', ['cdua', 'cuda:99'])
def test_find_device__missing_device__is_an_error(name):
    with pytest.raises(ValueError, match=f'--device {name} cannot be used: '):
        find_device(name)
