"""Images of every kind through the test pipelines of configs without data."""

import cv2
import numpy as np
import pytest
from mmengine.config import Config
from mmengine.registry import init_default_scope
from PIL import ExifTags, Image
from seeded_models import CONFIGS, TASKS, write_image

from pe_mm.engine import load_config
from pe_mm.prediction.image_pipeline import (
    ImagePipeline,
    UnreadableImageError,
    innermost_dataset,
    to_picture,
)
from pe_mm.prediction.images import find_images
from pe_mm.prediction.loading import build_pipeline


def config_of(dataset):
    init_default_scope('mmdet')
    return Config({'test_dataloader': {'dataset': dataset}})


def one_file(path):
    (file,) = find_images(path, path.parent / 'out')
    return file


@pytest.mark.parametrize('task', TASKS)
def test_image_pipeline__every_task__needs_no_annotations(loaded, task, tmp_path):
    pipeline = loaded(task)[1]
    path = write_image(tmp_path / '17.png', (45, 61, 3))

    image = pipeline(one_file(path))

    assert (image.picture == cv2.imread(str(path))).all()
    assert image.data['data_samples'].ori_shape == (45, 61)
    assert image.data['data_samples'].img_path == str(path)
    if task == 'detection':
        assert image.data['data_samples'].img_id == 17


# Pretraining has no predictions to draw.
NOT_PREDICTING = {'_base_', 'contrastive', 'alignment', 'nano'}
RECIPES = sorted(
    p for p in CONFIGS.rglob('*.py') if not NOT_PREDICTING.intersection(p.parts)
)


@pytest.mark.parametrize('path', RECIPES, ids=lambda path: path.stem)
def test_image_pipeline__every_recipe__prepares_an_image(path, tmp_path):
    pipeline = build_pipeline(load_config(path, launcher='none'))

    image = pipeline(one_file(write_image(tmp_path / 'a.jpg', (50, 70, 3))))

    assert image.data['inputs'].shape[0] == 3
    assert image.data['data_samples'].ori_shape == (50, 70)


@pytest.mark.parametrize(
    ('name', 'values'),
    [
        ('grey.png', np.full((30, 40), 80, np.uint8)),
        ('deep.png', np.full((30, 40), 80 * 257, np.uint16)),
        ('deep_colour.png', np.full((30, 40, 3), 80 * 257, np.uint16)),
        ('alpha.png', np.full((30, 40, 4), 80, np.uint8)),
        ('grey.jpg', np.full((30, 40), 80, np.uint8)),
    ],
)
def test_image_pipeline__grey_deep_and_alpha__become_colour_of_8_bits(
    loaded, name, values, tmp_path
):
    cv2.imwrite(str(tmp_path / name), values)

    image = loaded('segmentation')[1](one_file(tmp_path / name))

    assert image.picture.shape == (30, 40, 3)
    assert image.picture.dtype == np.uint8
    assert abs(image.picture.astype(int) - 80).max() <= 1
    assert image.data['inputs'].shape == (3, 30, 40)


def test_image_pipeline__turned_camera__is_seen_and_drawn_upright(loaded, tmp_path):
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6  # to be turned by 90 degrees clockwise
    values = np.zeros((40, 60), np.uint8)
    values[:20] = 200
    Image.fromarray(values).save(tmp_path / 'a.jpg', exif=exif)

    image = loaded('segmentation')[1](one_file(tmp_path / 'a.jpg'))

    assert image.picture.shape == (60, 40, 3)
    assert image.data['data_samples'].ori_shape == (60, 40)
    assert image.picture[:, 22:].min() > 190


@pytest.mark.parametrize('content', [b'', b'no image', b'\xff\xd8\xff\xe0 torn'])
def test_image_pipeline__no_image__is_unreadable(loaded, content, tmp_path):
    path = tmp_path / 'a.jpg'
    path.write_bytes(content)

    with pytest.raises(
        UnreadableImageError, match='damaged, or no image of a known kind'
    ):
        loaded('segmentation')[1](one_file(path))


def test_image_pipeline__half_a_jpeg__is_unreadable(loaded, tmp_path):
    path = write_image(tmp_path / 'a.jpg')
    path.write_bytes(path.read_bytes()[:-200])

    with pytest.raises(
        UnreadableImageError, match='damaged, or no image of a known kind'
    ):
        loaded('segmentation')[1](one_file(path))


def test_image_pipeline__file_is_gone__tells_the_systems_reason(loaded, tmp_path):
    file = one_file(write_image(tmp_path / 'a.jpg'))
    file.path.unlink()

    with pytest.raises(UnreadableImageError, match='No such file'):
        loaded('segmentation')[1](file)


@pytest.mark.parametrize('error', [MemoryError, ImportError])
def test_image_pipeline__no_memory_or_decoder__is_not_the_images_fault(
    loaded, tmp_path, monkeypatch, error
):
    def fail(*args, **kwargs):
        raise error

    pipeline = loaded('segmentation')[1]
    monkeypatch.setattr('mmcv.imfrombytes', fail)

    with pytest.raises(error):
        pipeline(one_file(write_image(tmp_path / 'a.jpg')))


@pytest.mark.parametrize('shape', [(1, 5000, 3), (5000, 1, 3)])
def test_image_pipeline__image_without_a_size_after_resize__is_unreadable(
    shape, tmp_path
):
    path = CONFIGS / 'segmentation' / 'linear_pe_spatial_b_ade20k_dinov3.py'
    pipeline = build_pipeline(load_config(path, launcher='none'))

    with pytest.raises(
        UnreadableImageError, match='cannot be prepared: height and width must be > 0'
    ):
        pipeline(one_file(write_image(tmp_path / 'a.png', shape)))


@pytest.mark.parametrize(
    ('error', 'expected', 'message'),
    [
        (ValueError('two\nlines'), UnreadableImageError, 'prepared: two lines$'),
        (KeyError(), UnreadableImageError, 'prepared: KeyError$'),
        (MemoryError(), MemoryError, None),
        (ImportError('no package'), ImportError, 'no package'),
    ],
)
def test_image_pipeline__step_fails__is_the_images_fault_or_not(
    loaded, tmp_path, monkeypatch, error, expected, message
):
    def fail(*args, **kwargs):
        raise error

    pipeline = loaded('detection')[1]
    monkeypatch.setattr('mmcv.imrescale', fail)
    monkeypatch.setattr('mmcv.imresize', fail)

    with pytest.raises(expected, match=message):
        pipeline(one_file(write_image(tmp_path / 'a.jpg')))


def test_image_pipeline__wrapped_data_sets_and_remote_files__reads_the_image_here(
    tmp_path,
):
    steps = [
        {'type': 'LoadImageFromFile', 'backend_args': {'backend': 'no_such'}},
        {'type': 'mmdet.LoadAnnotations', 'with_bbox': True},
        {'type': 'PackDetInputs'},
    ]
    innermost = {'type': 'CocoDataset', 'pipeline': steps}
    wrapped = {'type': 'ConcatDataset', 'datasets': [innermost]}
    cfg = config_of({'type': 'RepeatDataset', 'times': 2, 'dataset': wrapped})

    assert innermost_dataset(cfg)['type'] == 'CocoDataset'
    image = ImagePipeline(cfg)(one_file(write_image(tmp_path / 'a.png')))
    assert image.data['inputs'].shape == (3, 60, 84)


def test_image_pipeline__config_without_one__is_an_error():
    with pytest.raises(ValueError, match='has no test_dataloader.dataset.pipeline'):
        ImagePipeline(config_of({'type': 'CocoDataset'}))
    with pytest.raises(ValueError, match='has no test_dataloader.dataset.pipeline'):
        ImagePipeline(Config({'model': {}}))


def test_image_pipeline__no_loading_of_files__is_an_error():
    steps = [{'type': 'mmdet.LoadImageFromNDArray'}, {'type': 'PackDetInputs'}]

    with pytest.raises(
        ValueError, match='no LoadImageFromFile.*LoadImageFromNDArray, PackDetInputs'
    ):
        ImagePipeline(config_of({'type': 'CocoDataset', 'pipeline': steps}))


@pytest.mark.parametrize(
    ('image', 'expected'),
    [
        (np.full((2, 3), 7, np.uint8), 7),
        (np.full((2, 3, 1), 7, np.uint8), 7),
        (np.full((2, 3, 4), 7, np.uint8), 7),
        (np.full((2, 3, 3), 7.6, np.float32), 7),
        (np.full((2, 3, 3), 300.0, np.float32), 255),
        (np.full((2, 3), 65535, np.uint16), 255),
    ],
)
def test_to_picture__any_kind__is_a_copy_of_three_channels(image, expected):
    picture = to_picture(image)

    assert picture.shape == (2, 3, 3)
    assert picture.dtype == np.uint8
    assert (picture == expected).all()
    assert not np.shares_memory(picture, image)
