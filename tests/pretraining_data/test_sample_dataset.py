"""Unreadable samples give way to others and are counted, also in workers."""

import pytest
from pretraining_samples import encoded, number_of
from torch.utils.data import DataLoader

from pe_mm.pretraining_data import (
    CorruptSampleError,
    ImageTextFolder,
    SeededSampler,
)


@pytest.fixture
def half_corrupt(write_image, write_lines):
    """Four images, of which the second is cut short and the third is missing."""
    names = [write_image('0.png', 0), write_image('1.png', content=encoded(1)[:-30])]
    names += ['missing.png', write_image('3.png', 3)]
    return write_lines(*({'image': name, 'caption': name} for name in names))


def test_dataset__corrupt_samples__are_replaced_by_the_next_and_counted(half_corrupt):
    dataset = ImageTextFolder(**half_corrupt)

    assert [number_of(dataset[index]) for index in range(4)] == [0, 3, 3, 3]
    assert dataset.skipped == 3


def test_dataset__corrupt_samples_in_workers__are_counted_here(half_corrupt):
    dataset = ImageTextFolder(**half_corrupt)
    sampler = SeededSampler(dataset, shuffle=False, seed=0)

    loader = DataLoader(dataset, sampler=sampler, num_workers=2, collate_fn=list)

    assert [number_of(batch[0]) for batch in loader] == [0, 3, 3, 3]
    assert dataset.skipped == 3


def test_dataset__corrupt_sample_in_testing__is_an_error_that_names_it(half_corrupt):
    dataset = ImageTextFolder(**half_corrupt, test_mode=True)

    with pytest.raises(CorruptSampleError, match='1.png is no intact image'):
        dataset[1]
    with pytest.raises(CorruptSampleError, match='missing.png: No such file'):
        dataset[2]


def test_dataset__everything_corrupt__is_an_error(write_image, write_lines):
    names = [write_image(f'{number}.png', content=b'') for number in range(3)]
    source = write_lines(*({'image': name, 'caption': 'A.'} for name in names))

    with pytest.raises(ValueError, match='none of 3 samples in a row can be read'):
        ImageTextFolder(**source)[0]


def test_dataset__index_out_of_range__ends_iteration(half_corrupt):
    with pytest.raises(IndexError, match='index 4 of 4 samples'):
        ImageTextFolder(**half_corrupt)[4]


def test_dataset__workers__draw_what_the_main_process_draws(
    write_image, write_lines, draw
):
    name = write_image('0.png', 0)
    captions = [str(number) for number in range(1000)]
    record = {'image': name, 'captions': captions}
    dataset = ImageTextFolder(**write_lines(*[record] * 6))
    sampler = SeededSampler(dataset, shuffle=True, seed=0)

    loader = DataLoader(dataset, sampler=sampler, num_workers=2, collate_fn=list)

    drawn = [batch[0]['data_samples'].caption for batch in loader]
    assert drawn == [item['data_samples'].caption for item in draw(dataset)]
    assert len(set(drawn)) > 1
