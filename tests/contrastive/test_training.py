"""A tiny model learns on generated pairs, as the configs train PE-Core."""

import json
import math
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from image_text_models import TEXT, VARIANT
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from mmengine.registry import MODELS
from mmengine.runner import Runner

CONFIGS = Path(__file__).parents[2] / 'configs' / 'contrastive'
COLORS = {
    'red': (220, 30, 30),
    'green': (30, 200, 40),
    'blue': (30, 40, 220),
    'yellow': (230, 220, 40),
    'white': (240, 240, 240),
    'black': (15, 15, 15),
    'violet': (170, 40, 200),
    'grey': (120, 120, 120),
}
BATCH = len(COLORS)
STEPS = 50


@pytest.fixture(scope='module')
def pairs(tmp_path_factory):
    """Write one image of each colour, in a folder of its name, with its caption."""
    root = tmp_path_factory.mktemp('pairs')
    lines = []
    for name, color in COLORS.items():
        (root / name).mkdir()
        path = root / name / '0.png'
        cv2.imwrite(str(path), np.full((40, 40, 3), color[::-1], np.uint8))
        lines.append({'image': f'{name}/0.png', 'caption': f'a {name} square'})
    (root / 'captions.jsonl').write_text('\n'.join(map(json.dumps, lines)))
    # One long epoch: mmengine sleeps two seconds after each.
    (root / 'train.jsonl').write_text('\n'.join(map(json.dumps, lines * STEPS)))
    return root


def config(pairs, work_dir, iters, name='pe_core_b_image_text'):
    """Reduce the config's model, data and schedule; its optimizer and hooks stay."""
    cfg = Config.fromfile(CONFIGS / f'{name}.py')
    cfg.work_dir = str(work_dir)
    cfg.model.image_encoder.variant = VARIANT
    cfg.model.text_encoder = TEXT
    if 'mask_regularization' in cfg.model:
        cfg.model.mask_regularization.batch_fraction = 0.25
    cfg.optim_wrapper.type = 'OptimWrapper'
    for key in ('dtype', 'loss_scale'):
        del cfg.optim_wrapper[key]
    cfg.param_scheduler = [
        dict(type='LinearLR', start_factor=0.1, by_epoch=False, end=5)
    ]
    cfg.train_cfg.update(max_iters=iters, val_interval=iters)
    stages = [dict(begin=0, size=24), dict(begin=iters // 2, size=32)]
    cfg.default_hooks.resolution.stages = stages
    cfg.default_hooks.checkpoint.interval = iters // 2
    texts = dict(
        type='pe_mm.ImageTextFolder',
        data_root=str(pairs),
        pipeline=cfg.test_pipeline,
    )
    cfg.test_pipeline[0].transforms[0].size = (32, 32)
    for split in ('train', 'val', 'test'):
        loader = cfg[f'{split}_dataloader']
        loader.batch_size, loader.num_workers = BATCH, 0
        loader.pop('persistent_workers', None)
        loader.dataset = dict(
            texts,
            ann_file=f'{"train" if split == "train" else "captions"}.jsonl',
            test_mode=split != 'train',
        )
    cfg.train_dataloader.sampler.shuffle = False  # Every batch has every colour.
    cfg.test_evaluator.class_names = {name: name for name in COLORS}
    cfg.test_evaluator.templates = ['a {} square']
    cfg.env_cfg.dist_cfg.backend = 'gloo'
    return cfg


class Losses:
    """Keep the losses of every step."""

    def __init__(self, runner):
        self.values = []
        step = runner.model.train_step

        def kept(*args, **kwargs):
            logged = step(*args, **kwargs)
            self.values.append({name: value.item() for name, value in logged.items()})
            return logged

        runner.model.train_step = kept


def test_train__fifty_steps_on_eight_pairs__tell_them_apart(pairs, tmp_path):
    runner = Runner.from_cfg(config(pairs, tmp_path, iters=STEPS))
    losses = Losses(runner)
    runner.train()
    contrastive = [values['loss_contrastive'] for values in losses.values]
    assert contrastive[0] > 0.9 * math.log(BATCH)
    assert np.mean(contrastive[-5:]) < 0.5 * math.log(BATCH)
    assert losses.values[-1]['loss_mask'] < 0.8 * losses.values[0]['loss_mask']
    scores = runner.message_hub.log_scalars
    recall = scores['val/retrieval/image_to_text_R@5'].current()
    assert recall > 95
    accuracy = runner.test()
    assert accuracy['zero_shot/top1'] > 100 / BATCH
    assert accuracy['zero_shot/top5'] > 95


def test_train__resumed_in_the_middle__ends_with_the_same_weights(pairs, tmp_path):
    cfg = config(pairs, tmp_path, iters=6)
    whole = Runner.from_cfg(cfg)
    whole.train()
    resumed = Runner.from_cfg(
        Config({**cfg, 'load_from': str(tmp_path / 'iter_3.pth'), 'resume': True})
    )
    resumed.train()
    assert resumed.iter == 6
    for key, tensor in whole.model.state_dict().items():
        assert tensor.equal(resumed.model.state_dict()[key]), key


def test_optim_wrapper__lamb__decays_weights_alone(pairs, tmp_path):
    cfg = config(pairs, tmp_path, iters=2)
    model = MODELS.build(cfg.model)
    optimizer = build_optim_wrapper(model, cfg.optim_wrapper).optimizer
    assert type(optimizer).__module__.startswith('timm.optim')
    decays = {
        id(p): group['weight_decay']
        for group in optimizer.param_groups
        for p in group['params']
    }
    trained = {name: p for name, p in model.named_parameters() if p.requires_grad}
    decayed = {name for name, p in trained.items() if decays.pop(id(p))}
    assert not decays
    expected = {
        name
        for name, p in trained.items()
        if p.ndim >= 2
        and name.split('.')[-1]
        not in ('pos_embed', 'cls_token', 'mask_token', 'latent')
        and 'embedding' not in name
    }
    assert decayed == expected
    assert len(optimizer.param_groups) == 2


def test_encode__bfloat16__has_finite_gradients(pairs, tmp_path):
    cfg = config(pairs, tmp_path, iters=2)
    model = MODELS.build(cfg.model)
    images = torch.zeros(2, 3, 40, 40, dtype=torch.uint8)
    images[1] = 255
    batch = model.data_preprocessor({'inputs': list(images), 'data_samples': None})
    with torch.autocast('cpu', torch.bfloat16):
        features = model(batch['inputs'])
        texts = model.encode_text(['a', 'b'])
    (features.float() @ texts.float().T).sum().backward()
    assert model.image_encoder.patch_embed.proj.weight.grad.isfinite().all()
