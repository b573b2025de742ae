"""The pyramid of one map: equal to detectron2's and DETA's on seeded weights."""

import re

import numpy as np
import pytest
import torch
from mmengine.registry import MODELS, DefaultScope

from helpers import golden
from pe_mm import SimpleFeaturePyramid

# Position of the 1x1 convolution in each of detectron2's levels p2..p5.
FIRST_MIX = {2: 4, 3: 1, 4: 0, 5: 1}


def renamed(state_dict):
    """Return the pyramid of a detectron2 state dict under our names."""
    ours = {}
    for key, value in state_dict.items():
        match = re.fullmatch(r'simfp_(\d)\.(\d)\.(norm\.)?(weight|bias)', key)
        if match is None:
            continue
        level, index = int(match[1]), int(match[2])
        # detectron2's convolutions contain their norm, ours come before it.
        index += max(0, index - FIRST_MIX[level]) + bool(match[3])
        ours[f'levels.{level - 2}.{index}.{match[4]}'] = value
    return ours


def relative_errors(levels, arrays, names):
    return {
        name: float(
            np.abs(level.numpy() - arrays[name]).max() / np.abs(arrays[name]).max()
        )
        for name, level in zip(names, levels, strict=True)
    }


def test_pyramid__detectron2s_weights__gives_its_levels() -> None:
    _, state_dict, arrays = golden('vitdet_window4')
    neck = SimpleFeaturePyramid(64, 32, num_outs=5).eval()
    neck.load_state_dict(renamed(state_dict), strict=True)

    with torch.no_grad():
        levels = neck((torch.from_numpy(arrays['layers'][-1]),))

    errors = relative_errors(levels, arrays, [f'out/p{i}' for i in range(2, 7)])
    print(errors)
    assert max(errors.values()) < 1e-5


def test_pyramid__detas_weights__gives_its_levels() -> None:
    _, state_dict, arrays = golden('deta_window3_padded')
    neck = SimpleFeaturePyramid(64, None, scales=(2, 1, 0.5)).eval()
    ours = {'weight': 'levels.0.0.weight', 'bias': 'levels.0.0.bias'}
    neck.load_state_dict(
        {ours[k]: state_dict[f'fpn1.0.{k}'] for k in ours}, strict=True
    )

    with torch.no_grad():
        levels = neck((torch.from_numpy(arrays['layers'][-1]),))

    errors = relative_errors(levels, arrays, [f'out/p{i}' for i in range(3, 6)])
    print(errors)
    assert max(errors.values()) < 1e-5
    assert neck.out_channels == (32, 64, 64)


def test_pyramid__parameters__are_named_after_level_and_position() -> None:
    names = sorted(SimpleFeaturePyramid(32, 8).state_dict())
    weights = [name for name in names if name.endswith('weight')]
    assert weights == [
        f'levels.{level}.{position}.weight'
        for level, positions in enumerate(
            [(0, 1, 3, 4, 5, 6, 7), (0, 1, 2, 3, 4), (0, 1, 2, 3), (1, 2, 3, 4)]
        )
        for position in positions
    ]


@pytest.mark.parametrize('scope', ['mmdet', 'mmseg'])
def test_pyramid__from_config__learns_in_every_parameter(scope) -> None:
    with DefaultScope.overwrite_default_scope(scope):
        neck = MODELS.build(
            dict(type='pe_mm.SimpleFeaturePyramid', in_channels=16, out_channels=8)
        )
    target = torch.randn(8, 1, 1)
    levels = neck((torch.randn(2, 16, 5, 4),))
    sum((level * target).square().sum() for level in levels).backward()
    assert [n for n, p in neck.named_parameters() if not p.grad.abs().sum() > 0] == []


def test_pyramid__batch__equals_its_images_one_by_one() -> None:
    neck = SimpleFeaturePyramid(16, 8, num_outs=5).eval()
    maps = torch.randn(3, 16, 6, 5)
    with torch.no_grad():
        batch = neck((maps,))
        singles = [neck((maps[i : i + 1],)) for i in range(3)]
    for level, *parts in zip(batch, *singles, strict=True):
        torch.testing.assert_close(level, torch.cat(parts), rtol=1e-5, atol=1e-5)


def test_pyramid__state_dict__gives_a_twin(tmp_path) -> None:
    neck, twin = SimpleFeaturePyramid(16, 8), SimpleFeaturePyramid(16, 8)
    torch.save(neck.state_dict(), tmp_path / 'neck.pth')
    twin.load_state_dict(torch.load(tmp_path / 'neck.pth', weights_only=True))
    maps = (torch.randn(1, 16, 4, 4),)
    assert all(map(torch.equal, neck(maps), twin(maps)))


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (dict(in_channels=[768] * 4), r'got \[768, .*use pe_mm\.MultiLayerPyramid'),
        (dict(in_channels='768'), "in_channels must be an int.*got '768'"),
        (dict(in_channels=0), 'in_channels must be an int >= 1, got 0'),
        (dict(out_channels=0), 'out_channels must be an int >= 1, got 0'),
        (dict(num_outs=3), 'num_outs=3 is less than the 4 scales'),
        (dict(num_outs='5'), "num_outs must be an int >= 1, got '5'"),
        (dict(scales=2), 'scales must be one number per level'),
        (dict(scales=(3,)), 'scale 3 is not a power of two'),
        (dict(scales=(32,)), 'in_channels=16 cannot be halved 5 times for scale 32'),
    ],
)
def test_pyramid__bad_arguments__say_what_is_wrong(arguments, message) -> None:
    with pytest.raises(ValueError, match=message):
        SimpleFeaturePyramid(**dict(in_channels=16, out_channels=8) | arguments)


@pytest.mark.parametrize(
    ('maps', 'message'),
    [
        (
            [torch.zeros(1, 8, 4, 4)] * 4,
            r"got 4 maps .* built for 1 of \[8\]; .*out_indices='last'.*MultiLayerPyr",
        ),
        ([torch.zeros(1, 6, 4, 4)], r'got 1 map of \[6\] channels, built for 1'),
        ([], r'got 0 maps'),
        (torch.zeros(1, 8, 4, 4), r'also of a single one: \(map,\)'),
        ([(torch.zeros(1, 8, 4, 4), torch.zeros(1, 8))], 'not output class tokens'),
    ],
)
def test_pyramid__wrong_maps__are_named_with_the_fix(maps, message) -> None:
    with pytest.raises(ValueError, match=message):
        SimpleFeaturePyramid(8, 4)(maps)
