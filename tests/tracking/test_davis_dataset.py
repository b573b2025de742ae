"""Clips on the disk: what is read, and every way in which they are incomplete."""

import cv2
import numpy as np
import pytest
from PIL import Image

from pe_mm.tracking.davis_dataset import DavisDataset


def test_dataset__clip__is_read_with_its_masks_and_colours(davis):
    clip = DavisDataset(davis(frames=4)).clip('moving')

    assert [path.name for path in clip.frames] == [f'{i:05d}.jpg' for i in range(4)]
    assert clip.size == (48, 80)
    assert clip.scored == (1, 2)
    # RGB: object 1 was painted red.
    assert clip.read_frame(2)[24, 24].argmax() == 0
    assert set(np.unique(clip.read_mask(2))) == {0, 1, 2}
    assert clip.read_palette()[3:9] == [200, 10, 20, 30, 220, 40]


def test_dataset__void_pixels__are_background(davis):
    root = davis(frames=1)
    path = root / 'Annotations/480p/moving/00000.png'
    ids = np.array(Image.open(path))
    ids[ids == 1] = 255
    Image.fromarray(ids).save(path)

    assert set(np.unique(DavisDataset(root).clip('moving').read_mask(0))) == {0, 2}


def test_dataset__some_frames_annotated__those_between_count(davis):
    root = davis(frames=7, annotated={0, 2, 4, 6})
    davis('first only', frames=3, annotated={0}, split='train')

    assert DavisDataset(root).clip('moving').scored == (2, 4)
    train = DavisDataset(root, split='train')
    assert train.clip('first only').scored == ()


def test_dataset__demo_data__has_its_clips_in_a_folder(davis, tmp_path):
    davis().rename(tmp_path / 'clips')

    assert DavisDataset(tmp_path).names == ('moving',)


def test_dataset__splits_and_sequences__choose_clips(davis):
    root = davis('b')
    davis('a', split='train')

    assert DavisDataset(root).names == ('b',)
    assert DavisDataset(root, split='all').names == ('a', 'b')
    assert DavisDataset(root, split='all', sequences=('b',)).names == ('b',)


def test_dataset__frames_in_steps_of_five__have_no_gaps(davis):
    root = davis(frames=3)
    for folder in ('JPEGImages', 'Annotations'):
        for path in sorted((root / folder / '480p/moving').iterdir(), reverse=True):
            path.rename(path.with_stem(f'{5 * int(path.stem):05d}'))

    assert len(DavisDataset(root).clip('moving').frames) == 3


@pytest.mark.parametrize(
    ('broken', 'message'),
    [
        ('JPEGImages/480p/moving/00002.jpg', 'has missing frames: no 00002.jpg in'),
        ('JPEGImages/480p/moving/00004.jpg', 'has missing frames: no 00004.jpg in'),
        ('JPEGImages/480p/moving/00000.jpg', 'has missing frames: no 00000.jpg in'),
        ('Annotations/480p/moving/00000.png', 'has no mask of its first frame'),
        ('ImageSets/2017/val.txt', 'no list of clips .*val.txt; splits there: all'),
    ],
)
def test_dataset__missing_file__is_an_error(davis, broken, message):
    root = davis(frames=5)
    (root / broken).unlink()

    with pytest.raises(FileNotFoundError, match=message):
        DavisDataset(root).clip('moving')


def test_dataset__missing_folder_or_clip__is_an_error(davis, tmp_path):
    root = davis()

    with pytest.raises(FileNotFoundError, match='DAVIS-2017 has JPEGImages/480p'):
        DavisDataset(tmp_path / 'nowhere')
    with pytest.raises(ValueError, match="no clip 'movin' .* did you mean moving"):
        DavisDataset(root, sequences=('movin',))
    (root / 'ImageSets/2017/val.txt').write_text('moving gone')
    with pytest.raises(FileNotFoundError, match='the frames of clip gone: no folder'):
        DavisDataset(root).clip('gone')
    (root / 'ImageSets/2017/val.txt').write_text('\n')
    with pytest.raises(ValueError, match="the split 'val' of .* has no clips"):
        DavisDataset(root)


def test_dataset__all_clips__are_folders_that_are_not_hidden(davis):
    root = davis()
    (root / 'JPEGImages/480p/.thumbnails').mkdir()
    (root / 'JPEGImages/480p/README').write_text('no clip')

    assert DavisDataset(root, split='all').names == ('moving',)


def test_clip__sizes_differ__is_an_error(davis):
    root = davis(frames=3)
    cv2.imwrite(
        str(root / 'JPEGImages/480p/moving/00001.jpg'), np.zeros((48, 72, 3), np.uint8)
    )
    Image.fromarray(np.ones((24, 40), np.uint8)).save(
        root / 'Annotations/480p/moving/00002.png'
    )
    clip = DavisDataset(root).clip('moving')

    with pytest.raises(
        ValueError, match='00001.jpg has 48 x 72 pixels, the first .* 8'
    ):
        clip.read_frame(1)
    with pytest.raises(ValueError, match='00002.png has 24 x 40 pixels'):
        clip.read_mask(2)


@pytest.mark.parametrize(
    ('picture', 'message'),
    [
        (Image.new('RGB', (80, 48), (1, 1, 1)), 'is RGB, but object ids'),
        # 300 objects do not fit 8 bits.
        (
            Image.fromarray(np.full((48, 80), 300, np.uint16)),
            'hold at most 254 objects',
        ),
        (Image.fromarray(np.zeros((48, 80), np.uint8)), 'has no object to track'),
        (None, 'cannot be read'),
    ],
)
def test_clip__first_mask_is_none__is_an_error(davis, picture, message):
    root = davis()
    path = root / 'Annotations/480p/moving/00000.png'
    if picture is None:
        path.write_bytes(path.read_bytes()[:60])
    else:
        picture.save(path)

    with pytest.raises(ValueError, match=message):
        DavisDataset(root).clip('moving').read_first_mask()


def test_clip__damaged_frame__is_an_error(davis):
    root = davis()
    (root / 'JPEGImages/480p/moving/00001.jpg').write_bytes(b'no picture')

    with pytest.raises(ValueError, match=r'00001\.jpg cannot be read'):
        DavisDataset(root).clip('moving').read_frame(1)
