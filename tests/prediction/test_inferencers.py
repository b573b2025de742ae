"""mmdet's and mmseg's own inferencers run the same checkpoints, with equal results."""

import json

import cv2
import numpy as np
import pytest
from pycocotools import mask as mask_api
from seeded_models import write_image

from pe_mm.cli.main import main


@pytest.fixture
def images(tmp_path):
    """Three images, of which one has another size."""
    shapes = [(60, 84, 3), (47, 61, 3), (60, 84, 3)]
    return [
        write_image(tmp_path / 'images' / f'{index}.png', shape, seed=index)
        for index, shape in enumerate(shapes)
    ]


@pytest.fixture
def predict(seeded, images, tmp_path):
    """Run `pe-mm predict` on the CPU; return its folder and predictions.json."""

    def run(task):
        config, checkpoint = seeded(task)
        words = [str(config), str(checkpoint), str(tmp_path / 'images')]
        words += [
            '--out',
            str(tmp_path / 'out'),
            '--device',
            'cpu',
            '--batch-size',
            '2',
        ]
        assert main(['predict', *words]) == 0
        return tmp_path / 'out', json.loads(
            (tmp_path / 'out' / 'predictions.json').read_text()
        )

    return run


def test_det_inferencer__same_checkpoint__finds_the_same_instances(
    seeded, images, predict
):
    from mmdet.apis import DetInferencer

    config, checkpoint = seeded('detection')
    inferencer = DetInferencer(str(config), str(checkpoint), 'cpu', show_progress=False)

    folder, results = predict('detection')

    theirs = inferencer([str(path) for path in images], no_save_vis=True)['predictions']
    for image_id, expected in enumerate(theirs):
        ours = [result for result in results if result['image_id'] == image_id]
        assert len(ours) == len(expected['scores']) > 0
        boxes = np.array([result['bbox'] for result in ours])
        boxes[:, 2:] += boxes[:, :2]
        np.testing.assert_allclose(boxes, expected['bboxes'], rtol=0, atol=1e-4)
        np.testing.assert_allclose(
            [result['score'] for result in ours], expected['scores'], rtol=0, atol=1e-4
        )
        # The demo's categories count from 1.
        assert [r['category_id'] - 1 for r in ours] == expected['labels']
        for result, mask in zip(ours, expected['masks'], strict=True):
            difference = mask_api.decode(result['segmentation']) != mask_api.decode(
                mask
            )
            assert difference.mean() < 1e-3
    names = json.loads((folder / 'images.json').read_text())['categories']
    assert [category['name'] for category in names][:2] == ['ball', 'cube']


@pytest.mark.parametrize('task', ['segmentation', 'depth'])
def test_mmseg_inferencer__same_checkpoint__gives_the_same_maps(
    seeded, images, predict, task
):
    from mmseg.apis import MMSegInferencer

    folder, _ = predict(task)

    config, checkpoint = seeded(task)
    inferencer = MMSegInferencer(str(config), str(checkpoint), device='cpu')
    for path in images:
        expected = inferencer(str(path))['predictions']
        kind = 'labels' if task == 'segmentation' else 'depth'
        ours = cv2.imread(str(folder / kind / path.name), cv2.IMREAD_UNCHANGED)
        assert ours.shape == expected.shape
        if task == 'segmentation':
            assert len(np.unique(expected)) == 2
            assert (ours == expected).all()
        else:
            assert np.ptp(expected) > 0.1
            np.testing.assert_allclose(ours / 1000, expected, rtol=0, atol=0.6e-3)
