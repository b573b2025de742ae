"""Configs from files and options, and errors for what they need and lack."""

import json
import sys

import pytest
from mmengine.config import Config

from pe_mm.engine.configuring import (
    check_data,
    check_stack,
    detect_launcher,
    load_config,
    parse_options,
)


@pytest.fixture
def config(tmp_path):
    path = tmp_path / 'small.py'
    path.write_text("model = dict(type='Model', layers=(1, 2))\n")
    return path


@pytest.fixture
def no_launcher(monkeypatch):
    for name in ('RANK', 'WORLD_SIZE', 'LOCAL_RANK', 'SLURM_STEP_ID', 'SLURM_NTASKS'):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.delenv('OMPI_COMM_WORLD_LOCAL_RANK', raising=False)
    return monkeypatch


def test_load_config__options__change_the_config(config, no_launcher):
    cfg = load_config(config, options=['model.layers=(3,4)', 'model.rate=0.5'])

    assert cfg.model == {'type': 'Model', 'layers': (3, 4), 'rate': 0.5}
    assert (cfg.work_dir, cfg.launcher) == ('work_dirs/small', 'none')


def test_load_config__work_dir_given__wins_over_the_configs(config):
    config.write_text("work_dir = 'theirs'\n")

    assert load_config(config).work_dir == 'theirs'
    assert load_config(config, work_dir='ours').work_dir == 'ours'


def test_load_config__misspelt_name__offers_the_nearest(config):
    with pytest.raises(FileNotFoundError, match='did you mean .*small.py'):
        load_config(config.with_name('smal.py'))


def test_load_config__syntax_error__is_a_value_error(config):
    config.write_text('model = dict(\n')

    with pytest.raises(ValueError, match='small.py cannot be read'):
        load_config(config)


def test_load_config__missing_base__is_a_value_error(config):
    config.write_text("_base_ = './no_such_base.py'\n")

    with pytest.raises(ValueError, match='no_such_base.py'):
        load_config(config)


def test_load_config__dict_over_the_text_of_a_base__is_a_value_error(config):
    child = config.with_name('child.py')
    child.write_text("_base_ = './small.py'\nmodel = dict(type=dict(name='Model'))\n")

    with pytest.raises(ValueError, match=r'child\.py cannot be read: .*_delete_'):
        load_config(child)


@pytest.mark.parametrize('option', ['model.type.name=Model', 'model.layers.5.x=1'])
def test_load_config__option_that_does_not_fit__names_it(config, option):
    with pytest.raises(ValueError, match=r'do not fit config .*small\.py') as error:
        load_config(config, options=[option])
    assert option in str(error.value)


def test_load_config__missing_custom_import__is_an_import_error(config):
    config.write_text("custom_imports = dict(imports=['no_such_package'])\n")

    with pytest.raises(ImportError, match='no_such_package'):
        load_config(config)


def test_parse_options__values__are_typed_as_mmengine_does():
    words = ['a=1', 'b.c=0.5', 'd=(1,2)', 'e=[x,y]', 'f=text', 'g=None', 'h=a=b']

    assert parse_options(words) == {
        'a': 1,
        'b.c': 0.5,
        'd': (1, 2),
        'e': ['x', 'y'],
        'f': 'text',
        'g': None,
        'h': 'a=b',
    }


@pytest.mark.parametrize(
    'word', ['batch_size', 'a=[1,(2]', 'a=[dict(type=X,y=1),dict(type=Z,y=2)]']
)
def test_parse_options__malformed__names_the_option(word):
    with pytest.raises(ValueError, match='option') as error:
        parse_options([word])
    assert word in str(error.value)


@pytest.mark.parametrize(
    ('environment', 'launcher'),
    [
        ({}, 'none'),
        ({'RANK': '0', 'WORLD_SIZE': '1', 'LOCAL_RANK': '0'}, 'pytorch'),
        ({'WORLD_SIZE': '1'}, 'none'),
        ({'SLURM_NTASKS': '8', 'SLURM_STEP_ID': '0'}, 'slurm'),
        ({'SLURM_NTASKS': '8'}, 'none'),
        ({'OMPI_COMM_WORLD_LOCAL_RANK': '0'}, 'mpi'),
    ],
)
def test_detect_launcher__environment__tells(no_launcher, environment, launcher):
    for name, value in environment.items():
        no_launcher.setenv(name, value)

    assert detect_launcher() == launcher


def test_check_stack__package_is_missing__names_it():
    with pytest.raises(ImportError, match="default_scope is 'mmnothing'"):
        check_stack(Config({'default_scope': 'mmnothing'}))


def test_check_stack__operators_are_missing__names_them(monkeypatch):
    monkeypatch.setitem(sys.modules, 'mmcv.ops', None)

    with pytest.raises(ImportError, match='mmcv.ops cannot be imported'):
        check_stack(Config({'default_scope': 'mmdet'}))


def test_check_stack__whole_stack__passes():
    check_stack(Config({'default_scope': 'mmdet'}))


def dataloader(**dataset):
    return Config({'train_dataloader': {'dataset': {'type': 'CocoDataset', **dataset}}})


def test_check_data__everything_there__passes(tmp_path):
    (tmp_path / 'images').mkdir()
    (tmp_path / 'images/one.jpg').touch()
    (tmp_path / 'ann.json').write_text(json.dumps({}))

    cfg = dataloader(
        data_root=str(tmp_path), ann_file='ann.json', data_prefix={'img': 'images/'}
    )
    check_data(cfg, 'train')


@pytest.mark.parametrize(
    ('change', 'missing', 'key'),
    [
        ({'ann_file': 'no.json'}, 'no.json', 'ann_file'),
        ({'data_prefix': {'img': 'no_images/'}}, 'no_images', 'data_prefix.img'),
        (
            {'data_prefix': {'img_path': '', 'seg_map_path': 'no_labels'}},
            'no_labels',
            'data_prefix.seg_map_path',
        ),
        (
            {'data_prefix': {'depth_map_path': 'no_depth'}},
            'no_depth',
            'data_prefix.depth_map_path',
        ),
        ({'data_root': '/no/such/root'}, '/no/such/root', 'data_root'),
    ],
)
def test_check_data__part_is_missing__names_it(tmp_path, change, missing, key):
    (tmp_path / 'ann.json').write_text('{}')
    dataset = {'data_root': str(tmp_path), 'ann_file': 'ann.json', **change}

    with pytest.raises(FileNotFoundError) as error:
        check_data(dataloader(**dataset), 'train')
    assert f'{missing} does not exist (train_dataloader.dataset.{key});' in str(
        error.value
    )
    assert 'demo-data' not in str(error.value)
    assert str(error.value).endswith(
        '--cfg-options train_dataloader.dataset.data_root=...'
    )


def test_check_data__folder_is_empty__says_so(tmp_path):
    (tmp_path / 'images').mkdir()
    cfg = dataloader(data_root=str(tmp_path), data_prefix={'img_path': 'images'})

    with pytest.raises(
        FileNotFoundError, match=r'images is empty \(train_.*img_path\)'
    ):
        check_data(cfg, 'train')


def test_check_data__wrapped_dataset__is_looked_into():
    inner = {'type': 'CocoDataset', 'ann_file': '/no/such.json'}
    cfg = dataloader(type='ConcatDataset', datasets=[inner])

    with pytest.raises(
        FileNotFoundError,
        match=r'/no/such.json .* train_dataloader.dataset.datasets.0.ann_file=',
    ):
        check_data(cfg, 'train')


def test_check_data__remote_or_unused__is_left_alone():
    check_data(dataloader(ann_file='s3://bucket/ann.json'), 'train')
    check_data(
        dataloader(ann_file='/no.json', backend_args={'backend': 'lmdb'}), 'train'
    )
    check_data(dataloader(ann_file='/no.json'), 'test')


def test_check_data__demo_data__command_has_its_root():
    cfg = dataloader(data_root='somewhere/demo/', ann_file='annotations/a.json')

    with pytest.raises(FileNotFoundError, match='`pe-mm demo-data somewhere/demo`'):
        check_data(cfg, 'train')
