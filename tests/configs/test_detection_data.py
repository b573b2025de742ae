"""The data pipelines of configs/detection on images, pixel by pixel against Pillow."""

import numpy as np
import pytest
import torch
from mmdet.registry import MODELS, TRANSFORMS
from mmengine.dataset import Compose
from mmengine.registry import init_default_scope
from PIL import Image, ImageOps

# A triangle (x, y, ...) in the picture of 250 x 130, before its EXIF turn.
TRIANGLE = [20.0, 10.0, 120.0, 10.0, 120.0, 90.0]


@pytest.fixture(
    scope='module', params=['spatial_g_coco_36e', 'core_g_lvis_75e', 'spatial_t_coco']
)
def cfg(request, mask_rcnn_config):
    return mask_rcnn_config(request.param)


@pytest.fixture(params=[1, 6], ids=['upright', 'turned by EXIF'])
def picture(request, tmp_path):
    """A file of noise, of which Pillow decodes exactly what was written."""
    pixels = np.random.default_rng(0).integers(0, 256, (130, 250, 3), dtype=np.uint8)
    exif = Image.Exif()
    exif[0x0112] = request.param
    Image.fromarray(pixels).save(tmp_path / 'noise.png', exif=exif)
    return tmp_path / 'noise.png'


def decode(path):
    """Read as detectron2 does."""
    return ImageOps.exif_transpose(Image.open(path)).convert('RGB')


def record(path, masks=(TRIANGLE,)):
    width, height = decode(path).size
    instances = [
        {
            'bbox': [min(mask[::2]), min(mask[1::2]), max(mask[::2]), max(mask[1::2])],
            'bbox_label': label,
            'mask': [mask],
            'ignore_flag': 0,
        }
        for label, mask in enumerate(masks, start=3)
    ]
    return {
        'img_path': str(path),
        'img_id': 7,
        'height': height,
        'width': width,
        'instances': instances,
    }


def run(pipeline, results):
    init_default_scope('mmdet')
    return Compose([TRANSFORMS.build(transform) for transform in pipeline])(results)


def train_pipeline(cfg, flip):
    dataset = cfg.train_dataloader.dataset
    pipeline = [dict(t) for t in dataset.get('dataset', dataset).pipeline]
    assert pipeline[2] == {'type': 'RandomFlip', 'prob': 0.5}
    pipeline[2]['prob'] = flip
    return pipeline


def draw(monkeypatch, ratio, offset):
    """Let the scale's ratio and the crop's offset be these."""
    values = iter([ratio, offset])
    monkeypatch.setattr(np.random, 'uniform', lambda *_: next(values))


def black_square(tmp_path):
    Image.new('RGB', (256, 256)).save(tmp_path / 'square.png')
    return tmp_path / 'square.png'


def to_bgr(image):
    return torch.from_numpy(np.array(image)).permute(2, 0, 1).flip(0)


def preprocess(cfg, packed, training):
    init_default_scope('mmdet')
    preprocessor = MODELS.build(cfg.model.data_preprocessor)
    batch = {'inputs': [packed['inputs']], 'data_samples': [packed['data_samples']]}
    return preprocessor(batch, training=training)


def test_test_pipeline__image__is_pillows_own_resize(cfg, picture):
    packed = run(cfg.test_dataloader.dataset.pipeline, record(picture))

    width, height = decode(picture).size
    size = (1024, 532) if width == 250 else (532, 1024)  # 130 / 250 * 1024 = 532.48
    assert torch.equal(
        packed['inputs'], to_bgr(decode(picture).resize(size, Image.BILINEAR))
    )
    assert packed['data_samples'].ori_shape == (height, width)
    assert packed['data_samples'].img_shape == size[::-1]


def test_preprocessor__tested_image__is_padded_with_grey_and_clipped_to_itself(
    cfg, picture
):
    packed = run(cfg.test_dataloader.dataset.pipeline, record(picture))
    image = packed['inputs']

    batch = preprocess(cfg, packed, training=False)

    inputs, sample = batch['inputs'], batch['data_samples'][0]
    height, width = image.shape[1:]
    assert inputs.shape == (1, 3, 1024, 1024)
    expected = (image.flip(0).float() - 127) / 127
    torch.testing.assert_close(inputs[0, :, :height, :width], expected)
    inputs[0, :, :height, :width] = 0
    assert inputs.abs().max() == 0
    # Proposals are clipped to img_shape.
    assert sample.img_shape == (height, width)
    assert sample.batch_input_shape == (1024, 1024)


@pytest.mark.parametrize('flip', [0.0, 1.0])
@pytest.mark.parametrize(('ratio', 'offset'), [(0.1, 0.5), (0.67, 0.9), (1.525, 0.75)])
def test_train_pipeline__image__is_flipped_resized_and_cropped_as_by_pillow(
    cfg, picture, monkeypatch, flip, ratio, offset
):
    draw(monkeypatch, ratio, offset)

    packed = run(train_pipeline(cfg, flip), record(picture))

    image = decode(picture)
    if flip:
        image = ImageOps.mirror(image)
    factor = min(1024 * ratio / side for side in image.size)
    width, height = (round(side * factor) for side in image.size)
    image = image.resize((width, height), Image.BILINEAR)
    left, top = (round(offset * max(side - 1024, 0)) for side in image.size)
    right, bottom = min(width, left + 1024), min(height, top + 1024)
    assert torch.equal(packed['inputs'], to_bgr(image.crop((left, top, right, bottom))))
    assert packed['data_samples'].img_shape == (bottom - top, right - left)


def test_train_pipeline__object__has_the_box_of_its_cropped_polygon(
    cfg, tmp_path, monkeypatch
):
    draw(monkeypatch, 2.0, 0.5)
    # One whose box reaches into the crop, but not its polygon.
    outside = [0.0, 0.0, 70.0, 0.0, 0.0, 70.0]

    packed = run(
        train_pipeline(cfg, 0.0), record(black_square(tmp_path), [TRIANGLE, outside])
    )

    # At 8 px per pixel, of which 512..1536 remains: the triangle (160, 80), (960, 80),
    # (960, 720) has lost all but its corner below y = 512, which starts at x = 700.
    truth = packed['data_samples'].gt_instances
    assert truth.bboxes.tensor.tolist() == [[188.0, 0.0, 448.0, 208.0]]
    assert truth.labels.tolist() == [3]
    corners = {tuple(corner) for corner in truth.masks.masks[0][0].reshape(-1, 2)}
    assert corners == {(188.0, 0.0), (448.0, 0.0), (448.0, 208.0)}


def test_train_pipeline__no_object_left__trains_on_the_empty_image(
    cfg, tmp_path, monkeypatch
):
    draw(monkeypatch, 2.0, 1.0)

    packed = run(train_pipeline(cfg, 0.0), record(black_square(tmp_path)))
    batch = preprocess(cfg, packed, training=True)

    truth = batch['data_samples'][0].gt_instances
    assert batch['inputs'].shape == (1, 3, 1024, 1024)
    assert truth.bboxes.shape == (0, 4)
    assert len(truth.masks) == 0


def test_train_pipeline__crowd__is_left_out(cfg, tmp_path, monkeypatch):
    draw(monkeypatch, 1.0, 0.0)
    data = record(black_square(tmp_path))
    crowd = {'counts': [0, 256 * 256], 'size': [256, 256]}
    data['instances'].append(
        {'bbox': [0, 0, 256, 256], 'bbox_label': 3, 'mask': crowd, 'ignore_flag': 1}
    )

    sample = run(train_pipeline(cfg, 0.0), data)['data_samples']

    assert len(sample.gt_instances) == 1
    assert len(sample.ignored_instances) == 0


def test_datasets__images_without_objects__are_left_out_in_training(cfg):
    dataset = cfg.train_dataloader.dataset
    dataset = dataset.get('dataset', dataset)

    assert dataset.filter_cfg == {'filter_empty_gt': True}
    assert cfg.train_dataloader.sampler == {'type': 'InfiniteSampler', 'shuffle': True}
    assert cfg.test_dataloader.dataset.test_mode
