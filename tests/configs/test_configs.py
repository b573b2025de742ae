"""Every config: parses, builds, and survives being dumped and read again."""

from pathlib import Path

import pytest
import torch
from mmengine.config import Config

from pe_mm.data import CLASSES, PALETTE, STUFF

CONFIGS = Path(__file__).parents[2] / 'configs'
LEAVES = sorted(
    path
    for path in CONFIGS.rglob('*.py')
    if '_base_' not in path.relative_to(CONFIGS).parts
)


def name(path):
    return str(path.relative_to(CONFIGS))


@pytest.mark.parametrize('path', LEAVES, ids=name)
def test_config__dump_and_reload__is_unchanged(path, tmp_path):
    cfg = Config.fromfile(path)
    cfg.dump(tmp_path / path.name)

    assert Config.fromfile(tmp_path / path.name).to_dict() == cfg.to_dict()


@pytest.mark.parametrize('path', LEAVES, ids=name)
def test_config__model__builds_with_matching_parts(path, build_on_meta):
    model = build_on_meta(Config.fromfile(path))

    assert sum(parameter.numel() for parameter in model.parameters()) > 0
    if not hasattr(model, 'backbone'):
        return
    # The neck checks how many maps it gets, and their channels.
    maps = [
        torch.zeros(1, channels, 64, 64, device='meta')
        for channels in model.backbone.out_channels
    ]
    levels = model.neck(maps) if hasattr(model, 'neck') else maps
    strides = [model.backbone.patch_size * 64 / level.shape[-1] for level in levels]
    # DETR-like detectors have no strides of their own.
    head = getattr(model, 'rpn_head', None)
    assert head is None or strides == [s[0] for s in head.prior_generator.strides]


@pytest.mark.parametrize('path', LEAVES, ids=name)
def test_config__leaf__is_short_and_says_what_and_how(path):
    text = path.read_text()
    docstring = text.split('"""')[1]

    assert len(text.splitlines()) <= 40
    commands = [f'pe-mm {verb} configs/{name(path)}' for verb in ('train', 'test')]
    assert any(command in docstring for command in (*commands, 'make demo'))


@pytest.mark.parametrize('folder', sorted({p.parent for p in LEAVES}), ids=name)
def test_config_folder__metafile__names_every_config(folder):
    import yaml

    models = yaml.safe_load((folder / 'metafile.yml').read_text())['Models']

    configs = {model['Config'] for model in models}
    assert configs == {f'configs/{name(p)}' for p in LEAVES if p.parent == folder}
    assert (folder / 'README.md').is_file()


@pytest.mark.parametrize('folder', ['contrastive', 'depth', 'segmentation'])
def test_metafile__result__says_by_which_protocol_and_who_published_it(folder):
    import yaml

    text = (CONFIGS / folder / 'metafile.yml').read_text()
    models = yaml.safe_load(text)['Models']
    results = [result for model in models for result in model.get('Results', [])]

    assert results and '#' not in text
    for result in results:
        assert set(result) == {
            'Task',
            'Dataset',
            'Protocol',
            'Published by',
            'Metrics',
        }
        assert result['Published by'].endswith(', not run here')


def test_demo_instance__classes_and_colors__are_those_of_the_scenes():
    cfg = Config.fromfile(CONFIGS / '_base_/datasets/demo_instance.py')

    assert cfg.metainfo.classes == CLASSES
    assert cfg.metainfo.palette == [list(c) for c in PALETTE[: len(CLASSES)]]


def test_demo_panoptic__classes_and_colors__are_those_of_the_scenes():
    cfg = Config.fromfile(CONFIGS / '_base_/datasets/demo_panoptic.py')

    assert cfg.metainfo.classes == CLASSES + STUFF
    assert cfg.metainfo.palette == [list(color) for color in PALETTE]


def test_demo_semantic__classes_and_colors__are_those_of_the_scenes():
    cfg = Config.fromfile(CONFIGS / '_base_/datasets/demo_semantic.py')

    assert cfg.metainfo.classes == CLASSES + STUFF
    assert cfg.metainfo.palette == [list(color) for color in PALETTE]
