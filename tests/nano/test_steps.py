"""The chain's steps: what runs on what, in which order."""

from dataclasses import replace
from pathlib import Path

import pytest
from mmengine.config import Config

from pe_mm.checkpoints import CheckpointError
from pe_mm.cli.main import COMMANDS, build_parser
from pe_mm.engine.configuring import load_config
from pe_mm.nano.steps import ALIGNED, CONFIGS, IMAGE, STUDENT, VIDEO, build_steps

ROOT = Path(__file__).parents[2]


BATCHES = {IMAGE: 128, VIDEO: 16} | dict.fromkeys([*ALIGNED, STUDENT], 64)


def pe_mm_words(step):
    words = list(step.command())
    return words[words.index('pe_mm') + 1 :]


def test_steps__of_a_chain__are_understood_and_have_folders_of_their_own(finished):
    steps = build_steps(finished)

    assert len({step.folder for step in steps}) == len(steps)
    for step in steps:
        args = build_parser(list(COMMANDS)).parse_args(pe_mm_words(step))
        for name in ('config', 'encoder'):
            if name in args:
                assert (ROOT / getattr(args, name)).is_file()


def test_steps__two_seeds__repeat_everything_but_the_scenes(finished):
    titles = [step.title for step in build_steps(finished)]

    first = [title[len('seed 0: ') :] for title in titles if 'seed 0' in title]
    second = [title[len('seed 2: ') :] for title in titles if 'seed 2' in title]
    assert first == second
    assert len(titles) == 2 + 2 * len(first)


def test_steps__training__options_fit_the_config(finished, monkeypatch):
    monkeypatch.chdir(ROOT)
    for step in build_steps(finished):
        args = build_parser(list(COMMANDS)).parse_args(pe_mm_words(step))
        if not args.run.__module__.endswith(('train', 'test')):
            continue
        plain = load_config(args.config, launcher='none')
        cfg = load_config(args.config, options=args.cfg_options, launcher='none')
        for option in args.cfg_options:
            key, value = option.split('=')
            assert str(_lookup(cfg, key)) == value
            # A key that the config lacks would be a new one, which nothing reads.
            assert key == 'load_from' or _lookup(plain, key) is not None


@pytest.mark.parametrize('processes', [1, 2, 4])
def test_steps__any_number_of_processes__share_the_same_batch(finished, processes):
    steps = build_steps(replace(finished, processes=processes, workers=3))

    batches = {}
    for step in steps:
        words = step.command()
        if 'train' not in words:
            continue
        options = dict(word.split('=') for word in words if 'train_dataloader.' in word)
        assert options['train_dataloader.num_workers'] == '3'
        assert options['train_dataloader.persistent_workers'] == 'True'
        batch = int(options['train_dataloader.batch_size']) * processes
        batches[step.title] = batch
    assert batches == {
        f'seed {seed}: {stage}': batch
        for seed in finished.seeds
        for stage, batch in BATCHES.items()
    }


@pytest.mark.parametrize(
    ('processes', 'message'),
    [
        (3, 'image_text has batches of 128, which 3 processes cannot share'),
        (32, 'video_text has batches of 16, which 32 processes cannot share'),
    ],
)
def test_steps__batch_cannot_be_shared__is_an_error_before_anything_runs(
    finished, processes, message
):
    with pytest.raises(ValueError, match=message):
        build_steps(replace(finished, processes=processes))


def _lookup(cfg, key):
    for part in key.split('.'):
        cfg = cfg[part]
    return cfg


def test_steps__checkpoint_lost__says_what_to_do(options):
    (step,) = (s for s in build_steps(options) if s.title.endswith('0: align_both'))

    with pytest.raises(CheckpointError, match='has lost its checkpoint; delete the'):
        step.command()


def test_student__config__is_smaller_and_sees_the_aligned_encoder(monkeypatch):
    monkeypatch.chdir(ROOT)
    teacher = Config.fromfile(CONFIGS / 'align_both.py').model.backbone.variant
    model = Config.fromfile(CONFIGS / 'distil_student.py').model

    assert model.backbone.variant.width < teacher.width
    assert model.teacher.variant == teacher
    assert model.teacher.init_cfg.prefix == 'backbone.'
