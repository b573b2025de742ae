"""A run on dense labels stops where images and label maps do not pair up."""

import logging
from types import SimpleNamespace

import pytest
from mmengine.dataset import BaseDataset, ConcatDataset, RepeatDataset
from mmengine.logging import MMLogger
from mmseg.datasets import BaseSegDataset, NYUDataset

from pe_mm.engine.paired_files_hook import PairedFilesHook, check_pairs

NAMES = ('a_1', 'b_1', 'c_1', 'd_1', 'e_1')


@pytest.fixture
def root(tmp_path):
    for folder, suffix in (('images', '.jpg'), ('labels', '.png')):
        (tmp_path / folder).mkdir()
        for name in NAMES:
            (tmp_path / folder / f'{name}{suffix}').touch()
    (tmp_path / 'names.txt').write_text('\n'.join(NAMES))
    return tmp_path


def segmentation(root, **options):
    prefix = dict(img_path='images', seg_map_path='labels')
    return BaseSegDataset(data_root=str(root), data_prefix=prefix, **options)


def depth(root, **options):
    prefix = dict(img_path='images', depth_map_path='labels')
    return NYUDataset(data_root=str(root), data_prefix=prefix, **options)


def concatenated(root):
    return ConcatDataset([segmentation(root), segmentation(root)])


def repeated(root):
    return RepeatDataset(segmentation(root), 2)


KINDS = [segmentation, depth, concatenated, repeated]


@pytest.mark.parametrize('make', KINDS)
def test_check_pairs__complete__goes_on(make, root):
    check_pairs([make(root)])


@pytest.mark.parametrize('make', KINDS)
def test_check_pairs__label_map_is_missing__names_it_and_its_image(make, root):
    dataset = make(root)
    (root / 'labels/b_1.png').unlink()

    with pytest.raises(FileNotFoundError) as error:
        check_pairs([dataset])
    assert (
        f'{root}/labels/b_1.png (the label map of {root}/images/b_1.jpg) does'
        in str(error.value)
    )
    assert 'lists 5 pairs' in str(error.value)


def test_check_pairs__many_are_missing__names_three_and_counts_the_rest(root):
    dataset = segmentation(root)
    for name in NAMES:
        (root / f'labels/{name}.png').unlink()

    with pytest.raises(
        FileNotFoundError, match='c_1.jpg.* and 2 more do not exist'
    ) as e:
        check_pairs([dataset])
    assert 'd_1.png' not in str(e.value)


def test_check_pairs__listed_image_is_missing__names_it(root):
    dataset = segmentation(root, ann_file='names.txt')
    (root / 'images/c_1.jpg').unlink()

    with pytest.raises(FileNotFoundError, match='images/c_1.jpg does not exist'):
        check_pairs([dataset])


@pytest.mark.parametrize('make', [segmentation, depth])
def test_check_pairs__label_map_without_image__is_warned_of(make, root, caplog):
    (root / 'images/e_1.jpg').unlink()
    logger = MMLogger.get_instance('pairs')
    logger.addHandler(caplog.handler)

    with caplog.at_level(logging.WARNING):
        check_pairs([make(root)])
    assert f'{root}/labels/e_1.png: label maps that belong to no image' in caplog.text


def test_check_pairs__listed_subset__is_not_warned_of(root, caplog):
    (root / 'names.txt').write_text('a_1\nb_1')
    logger = MMLogger.get_instance('subset')
    logger.addHandler(caplog.handler)

    check_pairs([segmentation(root, ann_file='names.txt')])
    check_pairs([segmentation(root, indices=2)])
    assert caplog.text == ''


def test_check_pairs__no_label_maps_or_remote__is_left_alone(root):
    class Boxes(BaseDataset):
        def load_data_list(self):
            return [dict(img_path='/no/such.jpg', seg_map_path=None)]

    remote = segmentation(root)
    remote.backend_args = dict(backend='petrel')
    by_address = segmentation(root)
    by_address.get_data_info = lambda _: dict(
        img_path='s3://bucket/a.jpg', seg_map_path='s3://bucket/a.png'
    )
    for name in NAMES:
        (root / f'labels/{name}.png').unlink()
    check_pairs([Boxes(), remote, by_address, [1, 2]])


def loop(dataset):
    return SimpleNamespace(dataloader=SimpleNamespace(dataset=dataset))


def test_hook__before_train_and_test__checks_the_data_that_will_be_used(root):
    whole, torn = segmentation(root), segmentation(root, test_mode=False)
    hook = PairedFilesHook()
    hook.before_train(SimpleNamespace(train_loop=loop(whole), val_loop=None))
    (root / 'labels/a_1.png').unlink()

    fine = loop([])
    for call, runner in (
        (hook.before_train, dict(train_loop=loop(torn), val_loop=None)),
        (hook.before_train, dict(train_loop=fine, val_loop=loop(torn))),
        (hook.before_test, dict(test_loop=loop(torn))),
    ):
        with pytest.raises(FileNotFoundError, match='labels/a_1.png'):
            call(SimpleNamespace(**runner))
