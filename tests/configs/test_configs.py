"""Every config: parses, builds, and survives being dumped and read again."""

from pathlib import Path

import pytest
from mmengine.config import Config
from mmengine.registry import MODELS, init_default_scope

from pe_mm.data import CLASSES

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
def test_config__model__builds_with_matching_parts(path):
    cfg = Config.fromfile(path)
    init_default_scope(cfg.default_scope)

    model = MODELS.build(cfg.model)

    assert model.neck.num_inputs == len(model.backbone.out_indices)
    assert len(list(model.parameters())) > 0


@pytest.mark.parametrize('path', LEAVES, ids=name)
def test_config__leaf__is_short_and_says_what_and_how(path):
    text = path.read_text()
    docstring = text.split('"""')[1]

    assert len(text.splitlines()) <= 40
    assert f'pe-mm train configs/{name(path)}' in docstring or 'make demo' in docstring


@pytest.mark.parametrize('folder', sorted({p.parent for p in LEAVES}), ids=name)
def test_config_folder__metafile__names_every_config(folder):
    import yaml

    models = yaml.safe_load((folder / 'metafile.yml').read_text())['Models']

    configs = {model['Config'] for model in models}
    assert configs == {f'configs/{name(p)}' for p in LEAVES if p.parent == folder}
    assert (folder / 'README.md').is_file()


def test_demo_instance__classes__are_those_of_the_scenes():
    cfg = Config.fromfile(CONFIGS / '_base_/datasets/demo_instance.py')

    assert cfg.metainfo.classes == CLASSES
