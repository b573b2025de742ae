"""The depth metric: mmseg's values, values by hand, crops, clamping, invalid depth."""

import math

import pytest
import torch
from mmengine.dataset import sampler
from mmengine.dist import dist
from mmengine.registry import METRICS, DefaultScope
from mmseg.evaluation import DepthMetric as MMSegDepthMetric

from pe_mm.depth import DepthMetric

ALL = ('d1', 'd2', 'd3', 'abs_rel', 'sq_rel', 'rmse', 'rmse_log', 'log10', 'silog')


def outputs(predicted, measured):
    """Turn (B, H, W) maps into what an evaluator hands over."""
    return [
        dict(
            pred_depth_map=dict(data=p[None]),
            gt_depth_map=dict(data=m[None]),
            img_path='image.jpg',
        )
        for p, m in zip(predicted, measured, strict=True)
    ]


def measure(metric, predicted, measured, batch=1):
    for start in range(0, len(measured), batch):
        part = slice(start, start + batch)
        metric.process({}, outputs(predicted[part], measured[part]))
    return metric.evaluate(len(measured))


def maps(count=3, size=(480, 640)):
    measured = torch.rand(count, *size) * 12
    predicted = (measured * torch.rand(count, *size).add(0.5)).clamp(0.5, 9.5)
    measured[torch.rand(count, *size) < 0.3] = 0
    return predicted, measured


@pytest.mark.parametrize('crop_type', [None, 'nyu_crop'])
def test_metric__as_mmsegs_own__is_equal(crop_type) -> None:
    kwargs = dict(min_depth_eval=1e-3, max_depth_eval=10.0, crop_type=crop_type)
    predicted, measured = maps()

    wanted = measure(MMSegDepthMetric(**kwargs), predicted, measured)

    assert tuple(wanted) == ALL
    assert measure(DepthMetric(**kwargs), predicted, measured) == wanted
    assert measure(DepthMetric(**kwargs), predicted, measured, batch=2) == wanted


def test_metric__two_images__is_the_mean_of_the_images_by_hand() -> None:
    measured = torch.tensor([[[1.0, 2.0, 4.0]], [[8.0, 0.0, 0.0]]])
    predicted = torch.tensor([[[1.0, 3.0, 2.0]], [[4.0, 7.0, 7.0]]])

    metrics = measure(DepthMetric(), predicted, measured)

    logs = [0.0, math.log(1.5), math.log(2)]
    rmse = math.sqrt((0 + 1 + 4) / 3)
    silog = math.sqrt(
        (logs[1] ** 2 + logs[2] ** 2) / 3 - 0.5 * ((logs[1] - logs[2]) / 3) ** 2
    )
    assert metrics == pytest.approx(
        {
            'd1': (1 / 3 + 0) / 2,
            'd2': (2 / 3 + 0) / 2,  # 1.5 < 1.25^2
            'd3': (2 / 3 + 0) / 2,  # 2 > 1.25^3
            'abs_rel': ((0 + 1 / 2 + 1 / 2) / 3 + 1 / 2) / 2,
            'sq_rel': ((0 + 1 / 2 + 4 / 4) / 3 + 16 / 8) / 2,
            'rmse': (rmse + 4) / 2,
            'rmse_log': (math.sqrt((logs[1] ** 2 + logs[2] ** 2) / 3) + logs[2]) / 2,
            'log10': ((logs[1] + logs[2]) / 3 + logs[2]) / 2 / math.log(10),
            'silog': (silog + logs[2] * math.sqrt(0.5)) / 2,
        }
    )


def test_metric__chosen_names__are_those_returned() -> None:
    predicted, measured = maps(size=(4, 5))

    metrics = measure(DepthMetric(['rmse', 'd1']), predicted, measured)

    everything = measure(DepthMetric(), predicted, measured)
    assert metrics == {name: everything[name] for name in ('rmse', 'd1')}


@pytest.mark.parametrize('poison', [0.0, -1.0, math.nan, math.inf, 10.0, 65.535])
def test_metric__invalid_depth__never_counts(poison) -> None:
    predicted, measured = maps(size=(6, 7))
    invalid = measured == 0
    spoiled = measured.masked_fill(invalid, poison)
    # Nor what is predicted there.
    worse = predicted.masked_fill(invalid, math.nan)
    metric, reference = (DepthMetric(max_depth_eval=10.0) for _ in range(2))

    assert measure(metric, worse, spoiled) == measure(reference, predicted, measured)


def test_metric__image_without_valid_depth__is_left_out() -> None:
    predicted, measured = maps(2, (4, 5))
    wanted = measure(DepthMetric(), predicted[:1], measured[:1])
    measured[1] = 0

    assert measure(DepthMetric(), predicted, measured) == wanted


def measure_on_two_ranks(predicted, measured, monkeypatch):
    """Measure as the first of two processes, but for what the other one sends it."""
    # On another device they go through files.
    metrics = [DepthMetric(collect_device='gpu') for _ in range(2)]
    count = len(measured)
    for rank, metric in enumerate(metrics):
        monkeypatch.setattr(sampler, 'get_dist_info', lambda rank=rank: (rank, 2))
        images = list(sampler.DefaultSampler(range(count), shuffle=False))
        assert len(images) == 3
        metric.process({}, outputs(predicted[images], measured[images]))
    parts = [metric.results for metric in metrics]
    monkeypatch.setattr(dist, 'get_dist_info', lambda: (0, 2))
    monkeypatch.setattr(dist, 'all_gather_object', lambda _: parts)
    return metrics[0].evaluate(count)


@pytest.mark.parametrize('invalid', range(5))
def test_metric__on_two_ranks__counts_every_image_once(invalid, monkeypatch) -> None:
    predicted, measured = maps(5, (4, 5))
    measured[invalid] = 0
    wanted = measure(DepthMetric(), predicted, measured)

    found = measure_on_two_ranks(predicted, measured, monkeypatch)

    assert found == pytest.approx(wanted, rel=1e-6)


def test_metric__no_valid_depth_at_all__says_why() -> None:
    metric = DepthMetric(max_depth_eval=10.0, crop_type='garg_crop')
    with pytest.raises(ValueError, match=r"10.0 metres .*'garg_crop'.*rescale_factor"):
        measure(metric, torch.ones(1, 4, 5), torch.full((1, 4, 5), 5000.0))


def test_metric__predictions_beyond_the_range__are_clamped() -> None:
    measured = torch.tensor([[[2.0, 8.0]]])
    predicted = torch.tensor([[[-3.0, 50.0]]])

    metrics = measure(DepthMetric(['rmse'], 1.0, 10.0), predicted, measured)

    assert metrics['rmse'] == pytest.approx(math.sqrt((1 + 4) / 2))


@pytest.mark.parametrize(
    ('crop_type', 'size', 'rows', 'columns'),
    [
        ('nyu_crop', (480, 640), (45, 471), (41, 601)),
        # Of 375 x 1242, KITTI's usual size, as BTS and AdaBins evaluate it.
        ('garg_crop', (375, 1242), (153, 371), (44, 1197)),
        ('eigen_crop', (375, 1242), (124, 342), (44, 1197)),
        (None, (375, 1242), (0, 375), (0, 1242)),
    ],
)
def test_crop__any__counts_its_pixels_only(crop_type, size, rows, columns) -> None:
    inside = torch.zeros(size, dtype=torch.bool)
    inside[slice(*rows), slice(*columns)] = True

    mask = DepthMetric(crop_type=crop_type)._get_eval_mask(torch.ones(size))

    assert torch.equal(mask, inside)


def test_results__of_an_image__are_numbers_not_pixels() -> None:
    metric = DepthMetric()
    metric.process({}, outputs(*maps(2)))

    assert [set(result) for result in metric.results] == [set(ALL)] * 2


def test_format_only__without_measured_depth__writes_predictions(tmp_path) -> None:
    cv2 = pytest.importorskip('cv2')
    metric = DepthMetric(
        format_only=True, output_dir=str(tmp_path), depth_scale_factor=1000.0
    )
    sample = outputs(torch.full((1, 4, 5), 1.5), torch.ones(1, 4, 5))[0]
    del sample['gt_depth_map']
    metric.process({}, [sample])

    assert metric.evaluate(1) == {}
    assert (cv2.imread(str(tmp_path / 'image.png'), -1) == 1500).all()


def test_metric__from_mmsegs_scope__is_found() -> None:
    with DefaultScope.overwrite_default_scope('mmseg'):
        assert METRICS.get('pe_mm.DepthMetric') is DepthMetric


@pytest.mark.parametrize(
    ('kwargs', 'message'),
    [
        (dict(depth_metrics=['rmse', 'a1']), r"must be a list of some of .*'a1'\]"),
        (dict(depth_metrics='rmse'), "got 'rmse'"),
        (dict(depth_metrics=[]), r'got \[\]'),
        (dict(crop_type='kitti'), "garg_crop.* or None, got 'kitti'"),
    ],
)
def test_metric__impossible_arguments__are_named(kwargs, message) -> None:
    with pytest.raises(ValueError, match=message):
        DepthMetric(**kwargs)


def test_metric__sizes_that_do_not_fit__are_named() -> None:
    with pytest.raises(ValueError, match=r'\(4, 5\), measured depth \(8, 5\)'):
        measure(DepthMetric(), torch.ones(1, 4, 5), torch.ones(1, 8, 5))
    metric = DepthMetric(crop_type='nyu_crop')
    with pytest.raises(ValueError, match=r'480 x 640.*got 375 x 1242'):
        measure(metric, torch.ones(1, 375, 1242), torch.ones(1, 375, 1242))
