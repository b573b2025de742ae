"""Images and clips are read with their captions; what is wrong is named."""

import pytest
import torch
from mmengine.dataset import pseudo_collate
from mmengine.registry import DATASETS
from pretraining_samples import number_of
from torch.utils.data import DataLoader

from pe_mm.pretraining_data import (
    CorruptSampleError,
    ImageTextFolder,
    VideoTextFolder,
)


@pytest.fixture
def two_images(write_image, write_lines):
    """An image with one caption, and one with three."""
    return write_lines(
        {'image': write_image('a/0.png', 0), 'caption': 'Zero.'},
        {'image': write_image('a/1.png', 1), 'captions': ['One.', 'Uno.', 'Eins.']},
    )


def captions_of(dataset, count):
    return {dataset[1]['data_samples'].caption for _ in range(count)}


def test_image_text_folder__training__draws_one_of_the_captions(two_images):
    dataset = DATASETS.build({'type': 'pe_mm.ImageTextFolder', **two_images})

    first = dataset[0]['data_samples']
    assert (first.sample_id, first.caption) == ('a/0.png', 'Zero.')
    assert dataset[0]['inputs'].shape == (3, 8, 10)
    assert [number_of(item) for item in dataset] == [0, 1]
    assert captions_of(dataset, 50) == {'One.', 'Uno.', 'Eins.'}
    assert 'captions' not in first


def test_image_text_folder__testing__takes_the_first_and_keeps_all(two_images):
    dataset = ImageTextFolder(**two_images, test_mode=True)

    assert captions_of(dataset, 10) == {'One.'}
    assert dataset[1]['data_samples'].captions == ['One.', 'Uno.', 'Eins.']


@pytest.mark.parametrize('test_mode', [False, True])
def test_image_text_folder__caption_index__is_the_only_caption(
    test_mode, write_image, write_lines
):
    lines = write_lines({'image': write_image('0.png'), 'captions': ['A.', 'B.']})
    dataset = ImageTextFolder(**lines, caption_index=1, test_mode=test_mode)

    sample = dataset[0]['data_samples']
    assert sample.caption == 'B.'
    assert sample.get('captions', ['B.']) == ['B.']


def test_image_text_folder__too_few_captions_for_the_index__names_the_line(two_images):
    with pytest.raises(ValueError, match='line 1: caption_index=1, but there are 1'):
        ImageTextFolder(**two_images, caption_index=1)


def test_image_text_folder__box__is_the_part_of_the_image(write_image, write_lines):
    name = write_image('0.png')
    record = {'image': name, 'box': [2, 1, 5, 3], 'caption': 'A part.'}
    part, whole = ImageTextFolder(
        **write_lines(record, {'image': name, 'caption': 'All.'})
    )

    assert torch.equal(part['inputs'], whole['inputs'][:, 1:4, 2:7])
    assert part['data_samples'].sample_id == '0.png:2,1,5,3'


def test_image_text_folder__cache__decodes_an_image_once_for_all_its_boxes(
    write_image, write_lines, tmp_path
):
    boxes = [[2, 1, 5, 3], [0, 0, 4, 4]]
    name = write_image('0.png', 3)
    lines = write_lines(*({'image': name, 'box': b, 'caption': 'A.'} for b in boxes))
    expected = [item['inputs'] for item in ImageTextFolder(**lines)]
    dataset = ImageTextFolder(**lines, cache=True)

    first = dataset[0]['inputs']
    (tmp_path / name).unlink()

    assert torch.equal(first, expected[0])
    assert torch.equal(dataset[1]['inputs'], expected[1])


def test_image_text_folder__cache__damaged_image_is_skipped_every_time(
    write_image, write_lines
):
    names = [write_image('0.png', content=b'no image'), write_image('1.png', 1)]
    lines = write_lines(*({'image': name, 'caption': 'A.'} for name in names))
    dataset = ImageTextFolder(**lines, cache=True)

    assert [number_of(dataset[0]) for _ in range(3)] == [1, 1, 1]
    assert dataset.skipped == 3


def test_image_text_folder__box_outside_of_the_image__is_a_corrupt_sample(
    write_image, write_lines
):
    record = {'image': write_image('0.png'), 'box': [6, 1, 5, 3], 'caption': 'A part.'}
    dataset = ImageTextFolder(**write_lines(record), test_mode=True)

    with pytest.raises(CorruptSampleError, match='outside of the image, .* 10 x 8 px'):
        dataset[0]


@pytest.mark.parametrize(
    'box', [[1, 2, 3], [0, 0, 0, 4], [-1, 0, 2, 2], [0.5, 0, 2, 2]]
)
def test_image_text_folder__no_box__is_named(box, write_image, write_lines):
    record = {'image': write_image('0.png'), 'box': box, 'caption': 'A part.'}

    with pytest.raises(
        ValueError, match=r'line 1: box must be \[x, y, width, height\]'
    ):
        ImageTextFolder(**write_lines(record))


def test_image_text_folder__seeded_draws__repeat_crops_and_captions(two_images, draw):
    crop = {'type': 'RandomCrop', 'size': 4}
    pipeline = [{'type': 'pe_mm.TorchvisionTransforms', 'transforms': [crop]}]
    dataset = ImageTextFolder(**two_images, pipeline=pipeline)

    def captions(epoch):
        items = [draw(dataset, epoch) for _ in range(2)]
        assert items[0][0]['inputs'].shape == (3, 4, 4)
        texts = [[item['data_samples'].caption for item in take] for take in items]
        assert texts[0] == texts[1]
        return tuple(sorted(texts[0]))

    assert len({captions(epoch) for epoch in range(12)}) == 3


def test_video_text_folder__folder_of_frames__is_sampled_evenly(
    write_image, write_lines
):
    for number in range(16):
        write_image(f'clip/{number:02d}.png', number)
    source = write_lines({'frames': 'clip', 'caption': 'A clip.'})

    item = VideoTextFolder(**source, frames=4)[0]

    assert item['inputs'].shape == (4, 3, 8, 10)
    assert number_of(item) == [0, 4, 8, 12]
    assert item['data_samples'].sample_id == 'clip'


def test_video_text_folder__short_list_of_frames__shows_some_twice(
    write_image, write_lines
):
    frames = [write_image(f'{number}.png', number) for number in (3, 1)]
    source = write_lines({'frames': frames, 'caption': 'A clip.'})

    assert number_of(VideoTextFolder(**source, frames=4)[0]) == [3, 3, 1, 1]


def test_video_text_folder__video_file__is_decoded(write_video, write_lines):
    source = write_lines({'video': write_video('a.mp4', 8), 'captions': ['A clip.']})

    item = VideoTextFolder(**source, frames=4)[0]

    assert item['inputs'].shape == (4, 3, 32, 32)
    assert number_of(item) == pytest.approx([0, 20, 40, 60], abs=4)


@pytest.mark.parametrize(
    ('records', 'message'),
    [
        ([{'image': 'a.png', 'caption': 'A.'}, {'image': 'a.png'}], 'line 2: captions'),
        ([{'image': 'a.png', 'captions': []}], 'line 1: captions are missing'),
        ([{'image': 'a.png', 'caption': ' '}], "line 1: ' ' is no caption"),
        ([{'caption': 'A.'}], 'line 1: the image is missing: .*there are .*caption'),
        (['{"image": "a.png"'], 'line 1: no JSON'),
        (['[1, 2]'], 'line 1: expected a JSON object'),
        ([''], 'captions.jsonl is empty'),
    ],
)
def test_image_text_folder__wrong_line__is_named(records, message, write_lines):
    with pytest.raises(ValueError, match=message):
        ImageTextFolder(**write_lines(*records))


def test_image_text_folder__no_file__says_what_is_wanted(tmp_path):
    with pytest.raises(
        FileNotFoundError, match='no.jsonl does not exist; give a jsonl'
    ):
        ImageTextFolder('no.jsonl', str(tmp_path))


def test_video_text_folder__no_clip__says_what_is_wanted(write_lines):
    with pytest.raises(ValueError, match='line 1: the clip is missing: give "video"'):
        VideoTextFolder(**write_lines({'image': 'a.png', 'caption': 'A.'}))


def test_video_text_folder__frame_that_is_no_path__is_named(write_lines):
    source = write_lines({'frames': ['0.jpg', 5], 'caption': 'A.'})
    with pytest.raises(ValueError, match='line 1: .*give "frames": a path, got 5'):
        VideoTextFolder(**source)


def test_video_text_folder__no_frames_wanted__is_an_error(write_lines):
    source = write_lines({'video': 'a.mp4', 'caption': 'A.'})
    with pytest.raises(ValueError, match='frames must be at least 1, got 0'):
        VideoTextFolder(**source, frames=0)


def test_image_text_folder__cache_in_workers__what_the_trainer_changes_is_its_own(
    write_image, write_lines
):
    names = [write_image(f'{number}.png', number) for number in range(3)]
    lines = write_lines(*({'image': name, 'caption': 'A.'} for name in names))
    loader = DataLoader(
        ImageTextFolder(**lines, cache=True),
        num_workers=1,
        persistent_workers=True,
        collate_fn=pseudo_collate,
    )

    for _ in range(2):
        images = [batch['inputs'][0] for batch in loader]
        assert [int(image[0, 0, 0]) for image in images] == [0, 1, 2]
        for image in images:
            image.fill_(9)
