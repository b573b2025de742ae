"""The preview shows pictures beside labels drawn where they are."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from pe_mm.data.preview import contact_sheet, draw_depth, draw_instances, write_preview
from pe_mm.data.scene import PALETTE


def test_contact_sheet__four_scenes__are_two_rows_of_eight_pictures(
    demo_root: Path,
) -> None:
    sheet = contact_sheet(demo_root, scenes=4)

    assert sheet.shape == (2 * 96, 8 * 96, 3)
    picture = cv2.imread(str(demo_root / 'images' / 'training' / '000000.jpg'))
    assert np.array_equal(sheet[:96, :96], picture[..., ::-1])
    colors = {tuple(c) for c in sheet[:96, 192:288].reshape(-1, 3).tolist()}
    assert colors <= {(0, 0, 0), *PALETTE}


def test_contact_sheet__odd_number__leaves_a_black_place(demo_root: Path) -> None:
    assert (contact_sheet(demo_root, scenes=3)[96:, 4 * 96 :] == 0).all()


def test_write_preview__finished_data__writes_a_picture(
    demo_root: Path, tmp_path: Path
) -> None:
    for name in ('demo_data.json', 'annotations', 'images', 'depth'):
        (tmp_path / name).symlink_to(demo_root / name)

    path = write_preview(tmp_path, split='validation')

    assert path == tmp_path / 'preview.png'
    assert cv2.imread(str(path)).shape == (96, 8 * 96, 3)


def test_contact_sheet__no_demo_data__says_how_to_make_it(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match='make it with `pe-mm demo-data'):
        contact_sheet(tmp_path)


def test_draw_instances__square__is_filled_within_its_box() -> None:
    square = [10.0, 10.0, 30.0, 10.0, 30.0, 30.0, 10.0, 30.0]
    record = {'category_id': 1, 'bbox': [10, 10, 20, 20], 'segmentation': [square]}

    drawn = draw_instances(np.zeros((60, 60, 3), dtype=np.uint8), [record])

    assert (drawn[25, 25] == np.array(PALETTE[0]) // 2).all()
    assert (drawn[10, 29] == PALETTE[0]).all()
    assert (drawn[40:] == 0).all()


def test_draw_depth__near__is_brighter_than_far() -> None:
    drawn = draw_depth(np.array([[1000, 5000]], dtype=np.uint16))

    assert drawn[0, 0].sum() > drawn[0, 1].sum()
