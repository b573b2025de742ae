"""A run through mmengine: small checkpoints, and a resumed run that ends alike."""

import shutil

import numpy as np
import torch
from alignment_models import STUDENT, TEACHER, config, encoder
from mmengine.config import Config
from PIL import Image

from pe_mm import PerceptionEncoder
from pe_mm.checkpoints.mmengine_loading import skip_pretrained
from pe_mm.engine import build_runner


def write_data(folder):
    """Write pictures of two colours, their instance maps, and weights of PE-Core."""
    for index in range(4):
        instances = np.zeros((32, 32), np.uint8)
        instances[8 * (index % 2) :][:16, :16] = 1
        picture = np.stack([instances * 200, 60 * index + 0 * instances, instances], -1)
        for name, array in (('images', picture), ('maps', instances)):
            (folder / name).mkdir(exist_ok=True)
            Image.fromarray(array).save(folder / name / f'{index}.png')
    torch.save(PerceptionEncoder(TEACHER).state_dict(), folder / 'core.pth')


def train(folder, name, epochs, resume=False):
    """Train for some epochs; return the student's weights at the end."""
    weights = {'type': 'Pretrained', 'checkpoint': str(folder / 'core.pth')}
    student = encoder(
        STUDENT,
        with_mask_token=True,
        drop_path_rate=0.4,
        init_cfg={**weights, 'new_layer_scale': True},
    )
    flip = {'type': 'RandomHorizontalFlip', 'p': 0.5}
    cfg = Config(
        {
            'model': config(
                backbone=student,
                teacher=encoder(TEACHER, out_indices=0, init_cfg=weights),
                data_preprocessor={'type': 'pe_mm.ImageTextPreprocessor'},
            ),
            'work_dir': str(folder / name),
            'train_dataloader': {
                'batch_size': 2,
                'num_workers': 0,
                'sampler': {'type': 'pe_mm.SeededSampler', 'shuffle': True},
                'dataset': {
                    'type': 'pe_mm.ImageFolder',
                    'data_root': str(folder / 'images'),
                    'instance_maps': str(folder / 'maps'),
                    'pipeline': [
                        {'type': 'pe_mm.TorchvisionTransforms', 'transforms': [flip]}
                    ],
                },
            },
            'train_cfg': {'by_epoch': True, 'max_epochs': epochs},
            'optim_wrapper': {
                'accumulative_counts': 1,
                'constructor': 'pe_mm.LayerDecayOptimWrapperConstructor',
                'paramwise_cfg': {'layer_decay_rate': 1.0},
                'optimizer': {
                    'type': 'timm.optim.Lamb',
                    'lr': 1e-2,
                    'weight_decay': 0.05,
                },
            },
            'default_hooks': {
                'seeded_steps': {'type': 'pe_mm.SeededStepsHook'},
                'checkpoint': {'type': 'pe_mm.SafeCheckpointHook', 'interval': 1},
            },
            'randomness': {'seed': 0},
            'default_scope': 'mmengine',
            'resume': resume,
        }
    )
    runner = build_runner(cfg, 'train')
    if resume:
        skip_pretrained(runner.model)
    runner.train()
    return runner.model.state_dict()


def test_resumed_run__ends_with_the_weights_of_one_that_was_not_interrupted(tmp_path):
    write_data(tmp_path)

    whole = train(tmp_path, 'whole', 2)
    (tmp_path / 'two').mkdir()
    shutil.copy(tmp_path / 'whole/epoch_1.pth', tmp_path / 'two')
    (tmp_path / 'two/last_checkpoint').write_text(str(tmp_path / 'two/epoch_1.pth'))
    half = torch.load(tmp_path / 'two/epoch_1.pth', weights_only=True)['state_dict']
    resumed = train(tmp_path, 'two', 2, resume=True)

    assert any(not torch.equal(half[name], whole[name]) for name in whole)
    for name, tensor in whole.items():
        assert torch.equal(resumed[name], tensor)
    saved = torch.load(tmp_path / 'whole/epoch_2.pth', weights_only=True)
    assert (
        saved['state_dict'].keys()
        == PerceptionEncoder(STUDENT, with_mask_token=True)
        .state_dict(prefix='backbone.')
        .keys()
    )
    assert len(saved['optimizer']['state']) == len(saved['state_dict'])
