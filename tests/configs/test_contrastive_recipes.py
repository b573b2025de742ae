"""PE-Core's recipe, number by number (arXiv 2504.13181, tables 18 and 19)."""

import json
from pathlib import Path

import open_clip
import pytest
from mmengine.config import Config

from pe_mm.variants import VARIANTS

CONTRASTIVE = Path(__file__).parents[2] / 'configs' / 'contrastive'
SIZES = {
    't': [112, 160, 224, 384],
    's': [112, 160, 224, 384],
    'b': [112, 160, 224],
    'l': [98, 154, 224, 336],
    'g': [98, 154, 224, 336, 448],
}
VARIANT_OF = {
    name[len('PE-Core-')].lower(): name for name in VARIANTS if 'Core' in name
}


def config(name):
    return Config.fromfile(CONTRASTIVE / f'pe_core_{name}.py')


def check_shared(cfg, letter):
    variant = VARIANTS[VARIANT_OF[letter]]
    optimizer = cfg.optim_wrapper.optimizer
    assert (optimizer.type, optimizer.betas) == ('timm.optim.Lamb', (0.9, 0.95))
    assert optimizer.weight_decay == 0.05
    assert cfg.optim_wrapper.dtype == 'bfloat16'
    assert cfg.model.max_logit_scale == 100
    assert cfg.model.image_encoder.variant == variant.name
    crop, color, flip = cfg.train_dataloader.dataset.pipeline[0].transforms
    assert (crop.size, crop.scale) == (variant.image_size, (0.08, 1.0))
    assert crop.ratio == (0.75, 1.3333)
    assert (color.brightness, color.saturation) == (0.32, 0.32)
    assert 'hue' not in color and 'contrast' not in color
    assert flip.p == 0.5
    for loader in (cfg.val_dataloader, cfg.test_dataloader):
        (resize,) = loader.dataset.pipeline[0].transforms
        assert resize.size == (variant.image_size,) * 2
    warmup, cosine = cfg.param_scheduler
    accumulated = cfg.optim_wrapper.get('accumulative_counts', 1)
    assert warmup.end == cosine.begin == 2000 * accumulated
    assert cosine.end == cfg.train_cfg.max_iters == warmup.end + cosine.T_max


@pytest.mark.parametrize('letter', SIZES)
def test_image_text__numbers__are_the_papers(letter):
    cfg = config(f'{letter}_image_text')
    check_shared(cfg, letter)
    steps = 656_000 if letter == 'g' else 443_000
    assert cfg.train_cfg.max_iters == steps
    assert cfg.optim_wrapper.optimizer.lr == 2e-3
    assert 512 * cfg.train_dataloader.batch_size == 131_072
    masks = cfg.model.mask_regularization
    assert (masks.batch_fraction * 131_072, masks.ratio) == (8192, 0.4)
    stages = cfg.default_hooks.resolution.stages
    assert [stage.size for stage in stages] == SIZES[letter]
    lengths = [
        end - stage.begin
        for stage, end in zip(
            stages, [s.begin for s in stages[1:]] + [steps], strict=True
        )
    ]
    shares = [1, 1, 1] if letter == 'b' else [10, 8, 4, 2, 1][: len(stages)]
    for length, share in zip(lengths, shares, strict=True):
        assert length == pytest.approx(steps * share / sum(shares), abs=1)


@pytest.mark.parametrize('name', [*SIZES, 'b_one_gpu'])
def test_video_text__numbers__are_the_papers(name):
    letter, _, one_gpu = name.partition('_')
    cfg = config(f'{letter}_video_text' + (f'_{one_gpu}' if one_gpu else ''))
    check_shared(cfg, letter)
    counts = cfg.optim_wrapper.get('accumulative_counts', 1)
    processes = 1 if one_gpu else 64
    assert processes * cfg.train_dataloader.batch_size * counts == 4096
    assert cfg.train_cfg.max_iters == 5400 * counts
    assert cfg.optim_wrapper.optimizer.lr == 1e-6
    assert cfg.train_dataloader.dataset.frames == 8
    assert 'mask_regularization' not in cfg.model
    first = config(f'{letter}_image_text')
    assert cfg.model.init_cfg.checkpoint == (
        f'work_dirs/pe_core_{letter}_image_text/iter_{first.train_cfg.max_iters}.pth'
    )


@pytest.mark.parametrize('letter', SIZES)
def test_text_tower__fields__are_open_clips(letter):
    name = {'t': 'T-16-384', 's': 'S-16-384', 'b': 'B-16', 'l': 'L-14-336'}
    folder = Path(open_clip.__file__).parent / 'model_configs'
    file = folder / f'PE-Core-{name.get(letter, "bigG-14-448")}.json'
    theirs = json.loads(file.read_text())
    fields = dict(config(f'{letter}_image_text').model.text_encoder)
    fields.pop('with_cp', None)
    assert fields | {'vocab_size': 49408} == theirs['text_cfg']
    assert VARIANTS[VARIANT_OF[letter]].embed_dim == theirs['embed_dim']
