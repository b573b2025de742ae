"""Which output fits what a model predicts."""

from pathlib import Path

import pytest
import torch
from mmengine.structures import BaseDataElement

from pe_mm.prediction.classes import Classes
from pe_mm.prediction.files import OutputFolder
from pe_mm.prediction.images import ImageFile
from pe_mm.prediction.output import (
    OutputOptions,
    in_order,
    make_output,
    unnamed_warning,
)

NAMED = Classes(('a', 'b'), ((1, 2, 3), (4, 5, 6)), named=True, num_things=2)
UNNAMED = Classes(('0', '1'), ((1, 2, 3), (4, 5, 6)), named=False, num_things=2)


@pytest.mark.parametrize(
    ('fields', 'expected'),
    [
        (['pred_instances'], 'DetectionOutput'),
        (['pred_instances', 'pred_panoptic_seg'], 'PanopticOutput'),
        (['pred_panoptic_seg'], 'PanopticOutput'),
        (['seg_logits', 'pred_sem_seg'], 'SegmentationOutput'),
        (['pred_depth_map'], 'DepthOutput'),
    ],
)
def test_make_output__fields_of_a_sample__choose_it(tmp_path, fields, expected):
    sample = BaseDataElement(**{field: BaseDataElement() for field in fields})

    output = make_output(sample, OutputFolder(tmp_path), NAMED, OutputOptions())

    assert type(output).__name__ == expected


@pytest.mark.parametrize('sample', [BaseDataElement(), torch.zeros(3), {'loss': 1}])
def test_make_output__nothing_that_can_be_written__is_an_error(tmp_path, sample):
    with pytest.raises(ValueError, match='gives none of what can be written'):
        make_output(sample, OutputFolder(tmp_path), NAMED, OutputOptions())


def test_in_order__records_of_batches__are_sorted_by_name():
    files = [ImageFile(Path(name), name, name, k) for k, name in enumerate('bca')]

    assert in_order({file: file.name for file in files}) == ['a', 'b', 'c']


def test_unnamed_warning__names_are_unknown__says_so():
    assert unnamed_warning(NAMED) == []
    (warning,) = unnamed_warning(UNNAMED)
    assert 'neither checkpoint nor config names the 2 classes' in warning
