"""Which files are images to predict, and what their outputs are called."""

import os
from pathlib import Path

import pytest

from pe_mm.prediction.images import count_images, find_images


def touch(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


def test_find_images__folders__are_searched_and_sorted(tmp_path):
    touch(tmp_path, 'b.JPG', 'a/z.png', 'a/b/y.TiF', 'c.jpeg', 'notes.txt', 'a/x.json')

    found = find_images(tmp_path, tmp_path / 'out')

    assert [file.name for file in found] == ['a/b/y.TiF', 'a/z.png', 'b.JPG', 'c.jpeg']
    assert [file.path for file in found] == [tmp_path / file.name for file in found]
    assert [file.output_name for file in found] == ['a/b/y', 'a/z', 'b', 'c']
    assert [file.image_id for file in found] == [1, 2, 3, 4]


def test_find_images__hidden_and_earlier_outputs__are_left_out(tmp_path):
    touch(tmp_path, 'a.jpg', '._a.jpg', '.cache/b.jpg', 'out/pictures/a.jpg')

    found = find_images(tmp_path, tmp_path / 'out')

    assert [file.name for file in found] == ['a.jpg']


def test_find_images__pipe_and_broken_link__only_the_link_is_read(tmp_path):
    os.mkfifo(tmp_path / 'pipe.png')
    (tmp_path / 'link.png').symlink_to(tmp_path / 'missing')

    found = find_images(tmp_path, tmp_path / 'out')

    assert [file.name for file in found] == ['link.png']


def test_find_images__links_to_folders__are_followed_without_loops(tmp_path):
    touch(tmp_path, 'far/x.png', 'far/sub/y.png', 'near/a/1.png', 'near/z/2.png')
    near = tmp_path / 'near'
    (near / 'far').symlink_to(tmp_path / 'far')
    (near / 'far_again').symlink_to(tmp_path / 'far')
    (near / 'a' / 'loop').symlink_to(near)
    (near / 'a' / 'z').symlink_to(near / 'z')
    (near / '.hidden').symlink_to(tmp_path / 'far')
    (near / 'out').symlink_to(tmp_path / 'out')
    touch(tmp_path, 'out/pictures/1.jpg')

    found = find_images(near, tmp_path / 'out')

    assert [file.name for file in found] == [
        'a/1.png',
        'far/sub/y.png',
        'far/x.png',
        'z/2.png',
    ]


def test_find_images__directory_is_a_link__is_searched(tmp_path):
    touch(tmp_path, 'real/a.jpg')
    (tmp_path / 'link').symlink_to(tmp_path / 'real')

    found = find_images(tmp_path / 'link', tmp_path / 'out')

    assert [file.path for file in found] == [tmp_path / 'link' / 'a.jpg']


def test_find_images__equal_names_in_two_folders__stay_apart(tmp_path):
    touch(tmp_path, 'left/1.png', 'right/1.png')

    found = find_images(tmp_path, tmp_path / 'out')

    assert [file.output_name for file in found] == ['left/1', 'right/1']
    assert [file.image_id for file in found] == [1, 2]


@pytest.mark.parametrize(
    'names', [('a.jpg', 'a.png'), ('A.jpg', 'a.png'), ('a.jpg', 'a.jpg.png', 'a.png')]
)
def test_find_images__names_that_differ_in_the_suffix__keep_it(tmp_path, names):
    touch(tmp_path, *names)

    found = find_images(tmp_path, tmp_path / 'out')

    assert [file.output_name for file in found] == list(names)


def test_find_images__all_names_are_numbers__are_the_image_ids(tmp_path):
    touch(tmp_path, '000000000139.jpg', 'x/7.jpg')
    assert [file.image_id for file in find_images(tmp_path, tmp_path / 'out')] == [
        139,
        7,
    ]

    touch(tmp_path, 'x/0007.jpg')
    assert [f.image_id for f in find_images(tmp_path, tmp_path / 'out')] == [1, 2, 3]


def test_find_images__one_file__needs_no_known_suffix(tmp_path):
    touch(tmp_path, 'sub/frame.image', 'sub/other.jpg')

    (found,) = find_images(tmp_path / 'sub' / 'frame.image', tmp_path)

    assert (found.name, found.output_name) == ('frame.image', 'frame')
    assert found.path == tmp_path / 'sub' / 'frame.image'


def test_find_images__nothing_there__says_what_was_looked_for(tmp_path):
    touch(tmp_path, 'folder/notes.txt')

    with pytest.raises(FileNotFoundError, match=r'no images in .*folder.*\.jpeg, '):
        find_images(tmp_path / 'folder', tmp_path / 'out')
    with pytest.raises(FileNotFoundError, match='missing does not exist; give an'):
        find_images(tmp_path / 'missing', tmp_path / 'out')


def test_find_images__out_is_the_directory_of_images__is_an_error(tmp_path):
    touch(tmp_path, 'a.jpg')

    with pytest.raises(ValueError, match='is the directory of the images; give a '):
        find_images(tmp_path, tmp_path / 'x' / '..')


def test_count_images__numbers__have_the_right_grammar():
    assert [count_images(n) for n in range(3)] == ['0 images', '1 image', '2 images']
