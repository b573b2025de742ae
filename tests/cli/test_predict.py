"""`pe-mm predict`: every task end to end, and every mistake as one message."""

import json

import cv2
import numpy as np
import pytest
import torch
from pycocotools.coco import COCO
from seeded_models import TASKS, write_checkpoint, write_config, write_image

from pe_mm.cli.main import main

FILES = {
    'detection': {'predictions.json', 'images.json'},
    'panoptic': {
        'predictions.json',
        'images.json',
        'panoptic.json',
        'panoptic/NAME.png',
    },
    'segmentation': {'predictions.json', 'labels/NAME.png'},
    'depth': {'predictions.json', 'depth/NAME.png'},
}


@pytest.fixture(scope='module')
def models(tmp_path_factory):
    """The (config, checkpoint) files of every task."""
    folder = tmp_path_factory.mktemp('models')
    configs = {task: write_config(task, folder) for task in TASKS}
    return {
        task: (config, write_checkpoint(config, folder / f'{task}.pth'))
        for task, config in configs.items()
    }


@pytest.fixture
def predict(models, tmp_path, capsys):
    """Run the command on tmp_path/images; returns its code and what it printed."""

    def run(task, *words, source='images', config=None, checkpoint=None):
        paths = [config or models[task][0], checkpoint or models[task][1]]
        out = [] if '--out' in words else ['--out', str(tmp_path / 'out')]
        where = [*map(str, paths), str(tmp_path / source)]
        code = main(['predict', *where, *out, '--device', 'cpu', *map(str, words)])
        return code, capsys.readouterr()

    return run


def read_json(path):
    return json.loads(path.read_text())


@pytest.mark.parametrize('task', TASKS)
def test_predict__folders__are_kept_in_the_outputs(predict, task, tmp_path):
    for name in ('a/1.png', 'b/1.JPG', '2.png'):
        write_image(tmp_path / 'images' / name)

    code, printed = predict(task, '--batch-size', 2)

    assert code == 0
    assert 'predictions of 3 images' in printed.out
    found = {
        path.relative_to(tmp_path / 'out').as_posix()
        for path in (tmp_path / 'out').rglob('*')
        if path.is_file()
    }
    patterns = FILES[task] | {'pictures/NAME.jpg', 'run.json'}
    assert found == {
        pattern.replace('NAME', name)
        for pattern in patterns
        for name in ('a/1', 'b/1', '2')
    }


def test_predict__detection__is_read_by_pycocotools(predict, tmp_path):
    write_image(tmp_path / 'images' / '000042.png', (90, 70, 3))

    predict('detection')

    coco = COCO(tmp_path / 'out' / 'images.json')
    results = coco.loadRes(str(tmp_path / 'out' / 'predictions.json'))
    assert coco.getImgIds() == [42]
    annotations = results.loadAnns(results.getAnnIds(imgIds=[42]))
    assert len(annotations) > 0
    assert {a['segmentation']['size'][0] for a in annotations} == {90}
    assert {a['category_id'] for a in annotations} <= set(coco.getCatIds())


def test_predict__score_thr__changes_pictures_alone(predict, tmp_path):
    write_image(tmp_path / 'images' / 'a.png')
    pictures, jsons = [], []
    for score in ('0', '1'):
        assert predict('detection', '--score-thr', score)[0] == 0
        pictures.append(cv2.imread(str(tmp_path / 'out/pictures/a.jpg')).astype(int))
        jsons.append(read_json(tmp_path / 'out/predictions.json'))

    assert jsons[0] == jsons[1] != []
    assert abs(pictures[0] - pictures[1]).max() > 50


def test_predict__depth_scale__are_the_units_of_the_png(predict, tmp_path):
    write_image(tmp_path / 'images' / 'a.png')
    maps = []
    for scale in ('1000', '256'):
        predict('depth', '--depth-scale', scale)
        png = cv2.imread(str(tmp_path / 'out' / 'depth' / 'a.png'), -1)
        content = read_json(tmp_path / 'out' / 'predictions.json')
        assert content['units_per_metre'] == float(scale)
        assert png.min() / float(scale) == pytest.approx(
            content['images'][0]['min'], 0.01
        )
        maps.append(png / float(scale))

    np.testing.assert_allclose(maps[1], maps[0], rtol=0, atol=0.5 / 256 + 1e-3)


def test_predict__segmentation__names_the_classes_of_the_config(predict, tmp_path):
    write_image(tmp_path / 'images' / 'a.png', (31, 45, 3))

    _, printed = predict('segmentation')

    content = read_json(tmp_path / 'out' / 'predictions.json')
    assert [entry['name'] for entry in content['classes']] == ['dark', 'bright']
    assert [entry['color'] for entry in content['classes']] == [[0] * 3, [255] * 3]
    assert sum(area['pixels'] for area in content['images'][0]['areas']) == 31 * 45
    assert 'names the' not in printed.err


def test_predict__names_of_the_checkpoint__go_before_the_configs(
    predict, models, tmp_path
):
    config = models['segmentation'][0]
    meta = {'dataset_meta': {'classes': ('night', 'day')}}
    named = write_checkpoint(config, tmp_path / 'named.pth', meta)
    write_image(tmp_path / 'images' / 'a.png')

    predict('segmentation', checkpoint=named)

    classes = read_json(tmp_path / 'out' / 'predictions.json')['classes']
    assert [entry['name'] for entry in classes] == ['night', 'day']


def test_predict__names_of_classes_are_unknown__says_so(predict, tmp_path):
    write_image(tmp_path / 'images' / 'a.png')

    code, printed = predict(
        'segmentation', '--cfg-options', 'test_dataloader.dataset.metainfo=None'
    )

    assert code == 0
    assert 'pe-mm: neither checkpoint nor config names the 2 classes' in printed.err
    classes = read_json(tmp_path / 'out' / 'predictions.json')['classes']
    assert [entry['name'] for entry in classes] == ['0', '1']


def test_predict__unreadable_images__are_listed_and_the_code_is_1(predict, tmp_path):
    for name in ('0.jpg', '1.jpg', '2.jpg'):
        path = write_image(tmp_path / 'images' / name)
    path.with_name('1.jpg').write_bytes(path.read_bytes()[:-300])
    path.with_name('3.jpg').write_text('a shopping list')

    code, printed = predict('segmentation', '--batch-size', 4)

    assert code == 1
    lines = printed.err.splitlines()
    assert lines[-3] == 'pe-mm: skipped 2 of 4 images:'
    assert lines[-2:] == [
        "  '1.jpg': damaged, or no image of a known kind",
        "  '3.jpg': damaged, or no image of a known kind",
    ]
    content = read_json(tmp_path / 'out' / 'predictions.json')
    assert [image['file_name'] for image in content['images']] == ['0.jpg', '2.jpg']
    assert [image['file_name'] for image in content['skipped']] == ['1.jpg', '3.jpg']


def test_predict__nothing_can_be_read__leaves_no_predictions(predict, tmp_path):
    path = write_image(tmp_path / 'images' / 'a.jpg')
    predict('segmentation')
    assert (tmp_path / 'out' / 'predictions.json').is_file()
    path.write_text('no image')

    code, printed = predict('segmentation')

    assert code == 1
    assert 'skipped 1 of 1 images:' in printed.err
    assert 'predictions of 0 images' in printed.out
    assert not (tmp_path / 'out' / 'predictions.json').exists()
    assert read_json(tmp_path / 'out' / 'run.json')['skipped'] == [
        {'file_name': 'a.jpg', 'reason': 'damaged, or no image of a known kind'}
    ]


@pytest.mark.parametrize('earlier', [False, True])
def test_predict__out_whose_pictures_are_the_images__is_refused(
    predict, tmp_path, earlier
):
    path = write_image(tmp_path / 'home' / 'pictures' / 'cat.jpg')
    before = path.read_bytes()
    if earlier:
        (tmp_path / 'home' / 'run.json').write_text('{"made_by": "pe-mm predict"}')

    code, printed = predict(
        'segmentation', '--out', tmp_path / 'home', source='home/pictures'
    )

    assert code == 2
    assert printed.err.startswith('pe-mm: error: ')
    assert 'overwrit' in printed.err
    assert printed.err.count('\n') == 1
    assert path.read_bytes() == before
    assert not (tmp_path / 'home' / 'predictions.json').exists()


def test_predict__predictions_of_somebody_else__are_refused(predict, tmp_path):
    write_image(tmp_path / 'images' / 'a.png')
    (tmp_path / 'out').mkdir()
    (tmp_path / 'out' / 'predictions.json').write_text('mine')

    code, printed = predict('segmentation')

    assert code == 2
    assert 'has predictions.json of no earlier run' in printed.err
    assert [path.name for path in (tmp_path / 'out').iterdir()] == ['predictions.json']


def test_predict__another_task_into_the_same_folder__leaves_its_own_json(
    predict, tmp_path
):
    write_image(tmp_path / 'images' / 'a.png')
    predict('detection')

    assert predict('depth')[0] == 0

    left = {path.name for path in (tmp_path / 'out').glob('*.json')}
    assert left == {'predictions.json', 'run.json'}


def test_predict__single_image_and_again__replaces_its_files(predict, tmp_path):
    write_image(tmp_path / 'images' / 'a.png', seed=1)
    predict('segmentation', source='images/a.png')
    first = (tmp_path / 'out' / 'labels' / 'a.png').read_bytes()
    write_image(tmp_path / 'images' / 'a.png', seed=2)

    assert predict('segmentation', source='images/a.png')[0] == 0

    assert (tmp_path / 'out' / 'labels' / 'a.png').read_bytes() != first


def test_predict__out_inside_the_images__is_not_predicted_again(predict, tmp_path):
    write_image(tmp_path / 'images' / 'a.png')
    out = tmp_path / 'images' / 'predictions'

    for _ in range(2):
        _, printed = predict('segmentation', '--out', out)

    assert 'predictions of 1 image\n' in printed.out


def test_predict__model_cannot_take_an_image__skips_it_alone(predict, tmp_path):
    write_image(tmp_path / 'images' / 'a.png', (8, 9, 3))
    write_image(tmp_path / 'images' / 'b.png')

    code, printed = predict('segmentation')

    assert code == 1
    assert "  'a.png': the model cannot take it: " in printed.err
    assert 'smaller than' in printed.err
    content = read_json(tmp_path / 'out' / 'predictions.json')
    assert [image['file_name'] for image in content['images']] == ['b.png']
    assert [image['file_name'] for image in content['skipped']] == ['a.png']


def test_predict__classes_of_another_number__are_called_by_number(predict, tmp_path):
    write_image(tmp_path / 'images' / 'a.png')

    code, printed = predict(
        'detection',
        '--cfg-options',
        'test_dataloader.dataset.metainfo.classes=("cat",)',
    )

    assert code == 0
    assert 'names the 12 classes of the model' in printed.err
    categories = read_json(tmp_path / 'out' / 'images.json')['categories']
    assert [category['name'] for category in categories] == [str(k) for k in range(12)]


def test_predict__unknown_mode_of_the_depth_estimator__is_one_message(
    predict, tmp_path
):
    write_image(tmp_path / 'images' / 'a.png')

    code, printed = predict('depth', '--cfg-options', 'model.test_cfg.mode=foo')

    assert code == 2
    assert "mode must be one of ('whole', 'slide'), got 'foo'" in printed.err
    assert printed.err.count('\n') == 1


@pytest.mark.parametrize(
    ('words', 'message'),
    [
        (['--batch-size', '0'], '--batch-size must be at least 1, got 0'),
        (['--score-thr', '1.5'], '--score-thr must be 0 to 1, got 1.5'),
        (['--depth-scale', '0'], '--depth-scale must be above 0, got 0.0'),
        (['--device', 'cdua'], '--device cdua cannot be used: '),
        (['--out', '/dev/null'], '--out /dev/null is a file; give a folder'),
        (['--out', '/proc/none'], '--out /proc/none cannot be written to: '),
        (
            ['--cfg-options', 'test_dataloader.dataset.pipeline=[]'],
            'has no test_dataloader.dataset.pipeline',
        ),
        (['--cfg-options', 'model.type=NoSuch'], 'NoSuch is not in the'),
    ],
)
def test_predict__wrong_option__is_one_message(predict, tmp_path, words, message):
    write_image(tmp_path / 'images' / 'a.png')

    code, printed = predict('segmentation', *words)

    assert code == 2
    assert printed.err.startswith('pe-mm: error: ')
    assert message in printed.err
    assert printed.err.count('\n') == 1


def test_predict__nothing_to_predict__is_one_message(predict, tmp_path):
    (tmp_path / 'images').mkdir()

    for source, message in (('images', 'no images in'), ('none', 'does not exist')):
        code, printed = predict('segmentation', source=source)
        assert code == 2
        assert message in printed.err
    assert not (tmp_path / 'out').exists()


def test_predict__wrong_checkpoint__is_one_message(predict, models, tmp_path):
    write_image(tmp_path / 'images' / 'a.png')
    (tmp_path / 'torn.pth').write_bytes(models['depth'][1].read_bytes()[:-100])
    cases = {
        models['depth'][1]: 'is not of the model in the config',
        tmp_path / 'torn.pth': 'is',
        tmp_path / 'missing.pth': 'does not exist',
    }
    for checkpoint, message in cases.items():
        code, printed = predict('segmentation', checkpoint=checkpoint)
        assert code == 2
        assert f'checkpoint {checkpoint} {message}' in printed.err


def test_predict__pretrained_backbone__needs_no_hub(predict, models, tmp_path):
    text = models['segmentation'][0].read_text()
    config = tmp_path / 'pretrained.py'
    config.write_text(
        text + "model['backbone']['init_cfg'] = "
        "dict(type='Pretrained', checkpoint='hf://nobody/nothing/none.pt')\n"
    )
    write_image(tmp_path / 'images' / 'a.png')

    assert predict('segmentation', config=config)[0] == 0


@pytest.mark.skipif(not torch.cuda.is_available(), reason='needs a GPU')
@pytest.mark.parametrize('task', TASKS)
def test_predict__gpu__is_the_default(models, task, tmp_path):
    write_image(tmp_path / 'images' / 'a.png')
    config, checkpoint = models[task]

    words = [config, checkpoint, tmp_path / 'images', '--out', tmp_path / 'out']

    assert main(['predict', *map(str, words)]) == 0
    assert torch.cuda.max_memory_allocated() > 0
