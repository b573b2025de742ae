"""Batches: what runs together, that it changes nothing, and what is not swallowed."""

from types import SimpleNamespace

import pytest
import torch
from seeded_models import TASKS, write_image

from pe_mm.prediction.images import find_images
from pe_mm.prediction.output import SkippedImage
from pe_mm.prediction.predicting import batches, predict_images

FIELDS = {
    'detection': [('pred_instances', name) for name in ('bboxes', 'scores', 'masks')],
    'panoptic': [('pred_panoptic_seg', 'sem_seg'), ('pred_instances', 'scores')],
    'segmentation': [('pred_sem_seg', 'data'), ('seg_logits', 'data')],
    'depth': [('pred_depth_map', 'data')],
}


class Collected:
    """An output that keeps the samples by the names of their images."""

    def __init__(self):
        self.samples = {}

    def add(self, image, sample):
        self.samples[image.file.name] = sample


@pytest.fixture
def predict(loaded):
    def run(task, folder, batch_size=1, on_progress=lambda done, total: None):
        _, pipeline, model, _ = loaded(task)
        images = find_images(folder, folder / 'out')
        output = Collected()
        given, skipped = predict_images(
            model,
            pipeline,
            images,
            lambda sample: output,
            batch_size=batch_size,
            on_progress=on_progress,
        )
        assert given in (output, None)
        return output.samples, skipped

    return run


@pytest.mark.parametrize('task', TASKS)
def test_predict_images__batch__gives_what_singles_give(predict, task, tmp_path):
    for index, shape in enumerate([(60, 84, 3), (61, 47, 3), (60, 84, 3), (60, 84, 3)]):
        write_image(tmp_path / f'{index}.png', shape, seed=index)

    singles, _ = predict(task, tmp_path)
    together, _ = predict(task, tmp_path, batch_size=3)

    assert singles.keys() == together.keys() == {f'{index}.png' for index in range(4)}
    for name, single in singles.items():
        for part, field in FIELDS[task]:
            one, other = (
                single.get(part).get(field),
                together[name].get(part).get(field),
            )
            assert one.numel() > 0
            if one.is_floating_point():
                torch.testing.assert_close(other, one, rtol=1e-4, atol=1e-4)
            else:
                # A pixel may lie on the border of two classes.
                assert (one != other).float().mean() < 1e-3
    # The images differ in what is seen, so that a mix-up would be noticed.
    values = [torch.as_tensor(s.get(part).get(field)) for s in singles.values()]
    assert not torch.equal(values[0], values[2])


@pytest.mark.parametrize('task', TASKS)
def test_predict_images__odd_size__is_predicted_at_its_own(predict, task, tmp_path):
    write_image(tmp_path / 'a.png', (43, 57, 3))

    samples, _ = predict(task, tmp_path)

    part, field = {
        'detection': ('pred_instances', 'masks'),
        'panoptic': ('pred_panoptic_seg', 'sem_seg'),
        'segmentation': ('pred_sem_seg', 'data'),
        'depth': ('pred_depth_map', 'data'),
    }[task]
    assert samples['a.png'].get(part).get(field).shape[-2:] == (43, 57)


def test_predict_images__damaged_in_the_middle__is_skipped_and_the_rest_goes_on(
    predict, tmp_path
):
    for index in range(4):
        path = write_image(tmp_path / f'{index}.jpg', seed=index)
    whole = path.read_bytes()
    (tmp_path / '1.jpg').write_bytes(whole[: len(whole) // 2])
    (tmp_path / '2.jpg').write_text('no image')
    seen = []

    samples, skipped = predict(
        'segmentation', tmp_path, 4, lambda done, total: seen.append((done, total))
    )

    assert sorted(samples) == ['0.jpg', '3.jpg']
    reason = 'damaged, or no image of a known kind'
    assert skipped == [SkippedImage('1.jpg', reason), SkippedImage('2.jpg', reason)]
    assert seen[-1] == (4, 4)


def test_predict_images__none_can_be_read__has_no_output(predict, tmp_path):
    (tmp_path / 'a.jpg').touch()

    samples, skipped = predict('segmentation', tmp_path)

    assert samples == {}
    assert len(skipped) == 1


def test_predict_images__model_refuses_one_of_a_batch__is_skipped_alone(
    loaded, tmp_path, monkeypatch
):
    _, pipeline, model, _ = loaded('segmentation')
    for index in range(4):
        write_image(tmp_path / f'{index}.png', seed=index)
    (tmp_path / '3.png').write_text('no image')
    real, sizes = model.test_step, []

    def refuse(data):
        sizes.append(len(data['inputs']))
        if any(sample.img_path.endswith('1.png') for sample in data['data_samples']):
            raise ValueError('no\nsuch image')
        return real(data)

    monkeypatch.setattr(model, 'test_step', refuse)
    output, seen = Collected(), []

    _, skipped = predict_images(
        model,
        pipeline,
        find_images(tmp_path, tmp_path / 'out'),
        lambda sample: output,
        batch_size=3,
        on_progress=lambda done, total: seen.append((done, total)),
    )

    assert sizes == [3, 1, 1, 1]
    assert sorted(output.samples) == ['0.png', '2.png']
    assert skipped == [
        SkippedImage('1.png', 'the model cannot take it: no such image'),
        SkippedImage('3.png', 'damaged, or no image of a known kind'),
    ]
    assert seen[-1] == (4, 4)


def test_predict_images__model_fails__is_raised(loaded, tmp_path, monkeypatch):
    def fail(data):
        raise torch.OutOfMemoryError('out of memory')

    _, pipeline, model, _ = loaded('segmentation')
    monkeypatch.setattr(model, 'test_step', fail)
    write_image(tmp_path / 'a.png')

    with pytest.raises(torch.OutOfMemoryError):
        predict_images(
            model,
            pipeline,
            find_images(tmp_path, tmp_path / 'out'),
            lambda sample: Collected(),
            batch_size=1,
            on_progress=lambda done, total: None,
        )


def keyed(*keys):
    return [SimpleNamespace(batch_key=key, index=k) for k, key in enumerate(keys)]


def indices(groups):
    return [[image.index for image in group] for group in groups]


def test_batches__sizes_alternate__are_sorted_into_full_batches():
    assert indices(batches(keyed(*'abababa'), 2)) == [[0, 2], [1, 3], [4, 6], [5]]


def test_batches__one_at_a_time__keeps_the_order():
    assert indices(batches(keyed(*'abca'), 1)) == [[0], [1], [2], [3]]


def test_batches__every_size_differs__keeps_few_in_memory():
    taken = []

    def images():
        for image in keyed(*range(100)):
            taken.append(image)
            yield image

    waiting = 0
    for group in batches(images(), 2):
        waiting = max(waiting, len(taken) - group[0].index)
    assert waiting <= 9
    assert len(taken) == 100
