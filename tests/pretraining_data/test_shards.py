"""Shards are streamed: all of them, split, shuffled by seed and epoch."""

import json
from collections import Counter
from pathlib import Path

import pytest
from mmengine.registry import DATASETS
from pretraining_samples import encoded, number_of
from torch.utils.data import DataLoader

from pe_mm.pretraining_data import ImageTextShards, SeededSampler, VideoTextShards


@pytest.fixture
def shards(tmp_path, write_shard):
    """Four shards of three images each."""
    for shard in range(4):
        members = {}
        for k in range(3):
            number = 3 * shard + k
            text = {'captions': [f'Number {number}.']}
            texts = {'json': json.dumps(text), 'txt': f'Number {number}.\n'}
            kind = 'json' if number % 2 else 'txt'
            members[f'{k}.png'] = encoded(number)
            members[f'{k}.{kind}'] = texts[kind].encode()
        write_shard(f'{shard}.tar', members)
    return str(tmp_path / '{0..3}.tar')


def numbers(items):
    return [number_of(item) for item in items]


def test_shards__one_epoch_of_all__shows_each_sample_once(shards, draw):
    settings = {'shards': shards, 'epoch_length': 12, 'shuffle_buffer': 4}
    dataset = DATASETS.build({'type': 'pe_mm.ImageTextShards', **settings})

    items = draw(dataset)

    assert sorted(numbers(items)) == list(range(12))
    assert numbers(items) != list(range(12))
    for item in items:
        sample, number = item['data_samples'], number_of(item)
        assert sample.caption == f'Number {number}.'
        assert sample.sample_id == f'{number // 3}/{number % 3}'


def test_shards__json_without_caption_beside_a_text__the_text_counts(
    tmp_path, write_shard, draw
):
    facts = json.dumps({'width': 32, 'url': 'somewhere'}).encode()
    write_shard('0.tar', {'a.png': encoded(1), 'a.json': facts, 'a.txt': b'One. '})
    dataset = ImageTextShards(str(tmp_path / '0.tar'), epoch_length=1)

    (item,) = draw(dataset)

    assert item['data_samples'].caption == 'One.'


def test_shards__seed_and_epoch__decide_the_order(shards, draw):
    dataset = ImageTextShards(shards, epoch_length=12, shuffle_buffer=4)
    takes = [numbers(draw(dataset, *k)) for k in ((0, 0), (1, 0), (0, 1), (0, 0))]

    assert takes[0] == takes[3]
    assert len({tuple(take) for take in takes}) == 3


def test_shards__no_buffer__keeps_the_order_and_goes_round(shards, draw):
    dataset = ImageTextShards(shards, epoch_length=14, shuffle_buffer=0)

    assert numbers(draw(dataset)) == [*range(12), 0, 1]


def test_shards__two_processes_with_two_workers__share_without_repeats(shards):
    seen = Counter()
    for rank in range(2):
        dataset = ImageTextShards(shards, epoch_length=12, shuffle_buffer=2)
        dataset._rank, dataset._world_size = rank, 2
        sampler = SeededSampler(dataset, seed=0)
        sampler.rank, sampler.world_size, sampler.num_samples = rank, 2, 6
        loader = DataLoader(dataset, sampler=sampler, num_workers=2, collate_fn=list)
        seen.update(number_of(batch[0]) for batch in loader)

    assert seen == dict.fromkeys(range(12), 1)


def test_shards__corrupt_samples_and_torn_shard__are_skipped_and_counted(
    write_shard, draw
):
    good = {'a.png': encoded(1), 'a.txt': b'One.'}
    bad = {'b.png': encoded(2)[:-30], 'b.txt': b'Two.', 'c.png': encoded(3)}
    first = write_shard('0.tar', good | bad | {'d.png': encoded(4), 'd.txt': b'Four.'})
    torn = Path(write_shard('1.tar', {'e.png': encoded(5), 'e.txt': b'Five.'}))
    torn.write_bytes(torn.read_bytes()[:700])

    dataset = ImageTextShards([first, str(torn)], epoch_length=2, shuffle_buffer=0)

    assert numbers(draw(dataset)) == [1, 4]
    assert dataset.skipped == 2
    dataset = ImageTextShards([first, str(torn)], epoch_length=3, shuffle_buffer=0)
    assert numbers(draw(dataset)) == [1, 4, 1]
    # The shard, and the sample of which it holds the image only.
    assert dataset.skipped == 4


def test_video_shards__video_or_numbered_frames__are_sampled_evenly(
    write_shard, write_video, tmp_path, draw
):
    frames = {f'a.{number:02d}.png': encoded(number) for number in range(12)}
    video = (tmp_path / write_video('b.mp4', 8)).read_bytes()
    texts = {'a.txt': b'Frames.', 'b.txt': b'A video.'}
    members = dict(sorted((frames | texts | {'b.mp4': video}).items()))
    shard = write_shard('0.tar', members)

    clips = draw(VideoTextShards(shard, epoch_length=2, frames=4, shuffle_buffer=0))

    assert number_of(clips[0]) == [0, 3, 6, 9]
    assert number_of(clips[1]) == pytest.approx([0, 20, 40, 60], abs=4)
    assert clips[0]['inputs'].shape == (4, 3, 8, 10)
    assert [clip['data_samples'].caption for clip in clips] == ['Frames.', 'A video.']


def test_shards__other_sampler__says_which_is_needed(shards):
    dataset = ImageTextShards(shards, epoch_length=12)

    with pytest.raises(ValueError, match="needs sampler=dict.type='pe_mm.SeededSamp"):
        dataset[0]


def test_shards__fewer_than_processes__says_how_many_are_needed(shards, draw):
    dataset = ImageTextShards(shards, epoch_length=12)
    dataset._world_size = 5

    with pytest.raises(ValueError, match='4 shards cannot be split over 5 .* least 5'):
        draw(dataset)


def test_shards__no_samples_inside__is_an_error(write_shard, draw):
    shard = write_shard('0.tar', {'README': b'Nothing.'})

    with pytest.raises(ValueError, match='there are no samples in .*0.tar'):
        draw(ImageTextShards(shard, epoch_length=1))


def test_shards__bad_names__are_one_message_each(tmp_path, write_shard):
    empty = write_shard('empty.tar', {})
    for pattern in ('no-{0..3}.tar', 'no-*.tar'):
        with pytest.raises(FileNotFoundError, match='no shard matches .*no-'):
            ImageTextShards(str(tmp_path / pattern), epoch_length=1)
    with pytest.raises(ValueError, match='shard .*empty.tar is empty'):
        ImageTextShards(empty, epoch_length=1)
    with pytest.raises(ValueError, match='empty list'):
        ImageTextShards([], epoch_length=1)
    with pytest.raises(ValueError, match='at least 1 and .* got 0 and 1000'):
        ImageTextShards(empty, epoch_length=0)
