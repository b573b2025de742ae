"""Every shape of a detector follows from few numbers."""

import pytest
import torch
from detectron2_models import SMALL, SMALL_HEADS, shapes

from pe_mm.checkpoints import CheckpointError
from pe_mm.checkpoints.detectron2_shapes import Sizes, check_shapes


def state_of(**sizes):
    table = shapes(**(dict(classes=5, layer_scale=True, federated=True) | sizes))
    return {
        name: torch.empty(shape, device='meta')
        for name, shape in table.items()
        if 'freqs' not in name
    }


def test_sizes__of_metas_detector__are_those_of_the_specification() -> None:
    sizes = check_shapes(state_of(classes=1203))

    assert sizes == Sizes(
        width=1536,
        mlp_width=8960,
        positions=1024,
        channels=256,
        box_width=1024,
        classes=1203,
        boxes=1203,
        masks=1203,
    )


@pytest.mark.parametrize('key', sorted(state_of(**SMALL, **SMALL_HEADS)))
def test_check_shapes__one_row_too_many__is_noticed_in_every_tensor(key) -> None:
    state = state_of(**SMALL, **SMALL_HEADS)
    rows, *rest = state[key].shape
    state[key] = torch.empty(rows + 1, *rest, device='meta')

    with pytest.raises(CheckpointError, match='misshapen'):
        check_shapes(state)


def test_check_shapes__no_rows__is_one_message() -> None:
    state = state_of(**SMALL, **SMALL_HEADS)
    state['backbone.net.conv1.weight'] = torch.empty(0, 3, 16, 16, device='meta')

    with pytest.raises(CheckpointError, match='4 dimensions, none of them 0'):
        check_shapes(state)
