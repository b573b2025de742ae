"""Items become batches of few tensors."""

import torch
from mmengine.dataset import pseudo_collate
from mmengine.registry import FUNCTIONS
from mmengine.structures import BaseDataElement

from pe_mm.pretraining_data import ImageTextPreprocessor, stack_inputs


def item(*shape, name='a', ids=None):
    sample = BaseDataElement(metainfo={'sample_id': name})
    if ids is not None:
        sample.instance_map = torch.randint(ids, shape[-2:], dtype=torch.int32)
    image = torch.randint(0, 256, shape, dtype=torch.uint8)
    return {'inputs': image, 'data_samples': sample}


def test_stack_inputs__by_name__is_what_pseudo_collate_becomes_later():
    items = [item(3, 8, 10, name=name, ids=9) for name in 'abc']
    maps = [one['data_samples'].instance_map for one in items]
    expected = ImageTextPreprocessor(size=6)(pseudo_collate(items))

    batch = FUNCTIONS.get('pe_mm.stack_inputs')(items)

    assert batch['inputs'].shape == (3, 3, 8, 10)
    stacked = [sample.instance_map for sample in batch['data_samples']]
    assert all(torch.equal(*pair) for pair in zip(stacked, maps, strict=True))
    # One tensor goes through shared memory, not three.
    assert len({part.untyped_storage().data_ptr() for part in stacked}) == 1
    batch = ImageTextPreprocessor(size=6)(batch)
    assert torch.equal(batch['inputs'], expected['inputs'])
    for one, other in zip(batch['data_samples'], expected['data_samples'], strict=True):
        assert one.sample_id == other.sample_id
        assert torch.equal(one.instance_map, other.instance_map)


def test_stack_inputs__clips__are_stacked_too():
    batch = stack_inputs([item(4, 3, 8, 8), item(4, 3, 8, 8)])

    assert batch['inputs'].shape == (2, 4, 3, 8, 8)
    assert ImageTextPreprocessor()(batch)['inputs'].shape == (2, 4, 3, 8, 8)


def test_stack_inputs__two_sizes__stay_apart_for_the_preprocessor_to_name():
    items = [item(3, 8, 8, ids=2), item(3, 8, 9, ids=2)]

    batch = stack_inputs(items)

    assert [tuple(image.shape) for image in batch['inputs']] == [(3, 8, 8), (3, 8, 9)]
    assert [s.instance_map.shape[1] for s in batch['data_samples']] == [8, 9]


def test_stack_inputs__without_data_samples__is_what_the_preprocessor_takes():
    images = [item(3, 8, 8)['inputs'] for _ in range(2)]

    batch = stack_inputs([{'inputs': image} for image in images])

    assert batch['data_samples'] is None
    assert ImageTextPreprocessor()(batch)['inputs'].shape == (2, 3, 8, 8)
