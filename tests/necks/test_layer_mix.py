"""The mix of layers: its values, its weights, how they learn and how they are read."""

import pytest
import torch
from mmengine.registry import MODELS, DefaultScope
from mmengine.runner.checkpoint import save_checkpoint
from torch import nn

from pe_mm import LayerMix


def normed(map_):
    mean, variance = map_.mean(1, keepdim=True), map_.var(1, keepdim=True, correction=0)
    return (map_ - mean) / (variance + 1e-6).sqrt()


def test_mix__untrained__is_the_mean_of_the_normalised_layers() -> None:
    maps = [10.0**i * torch.randn(2, 8, 3, 5) + i for i in range(3)]
    mixed = LayerMix([8] * 3)(maps)
    assert isinstance(mixed, tuple)
    torch.testing.assert_close(mixed[0], sum(map(normed, maps)) / 3)


def test_mix__trained__is_the_weighted_sum_times_the_scale() -> None:
    mix = LayerMix([8, 8])
    mix.layer_logits.data = torch.tensor([0.0, 3.0]).log1p()  # shares 1 and 4 of 5
    mix.scale.data.fill_(2.0)
    maps = [torch.randn(1, 8, 4, 4) for _ in range(2)]
    wanted = 2 * (0.2 * normed(maps[0]) + 0.8 * normed(maps[1]))
    torch.testing.assert_close(mix(maps)[0], wanted)
    torch.testing.assert_close(mix.weights, torch.tensor([0.2, 0.8]))


def test_mix__layers_of_any_magnitude__count_alike() -> None:
    maps = [torch.randn(1, 8, 4, 4) for _ in range(2)]
    mix = LayerMix([8, 8])
    grown = mix([maps[0], 100 * maps[1] + 7])[0]
    torch.testing.assert_close(grown, mix(maps)[0], rtol=1e-4, atol=1e-4)


def test_weights__any_logits__add_up_to_one_and_are_printed() -> None:
    mix = LayerMix([8] * 4)
    assert mix.weights.tolist() == [0.25] * 4
    assert 'weights=tensor([0.2500, 0.2500, 0.2500, 0.2500])' in repr(mix)
    nn.init.normal_(mix.layer_logits)
    assert sum(mix.weights.tolist()) == pytest.approx(1)
    assert 'weights=tensor([0.25' not in repr(mix)


def test_weights__of_a_checkpoint__are_read_without_the_model(tmp_path) -> None:
    model = nn.ModuleDict({'neck': nn.Sequential(LayerMix([8] * 3))})
    nn.init.normal_(model['neck'][0].layer_logits)
    path = str(tmp_path / 'epoch_12.pth')
    save_checkpoint({'state_dict': model.state_dict()}, path)

    # As the docstring says.
    state_dict = torch.load(path, map_location='cpu')['state_dict']
    weights = state_dict['neck.0.layer_logits'].softmax(0)

    assert torch.equal(weights, model['neck'][0].weights)


def test_training__on_one_layers_features__finds_that_layer() -> None:
    mix = LayerMix([8] * 3)
    optimizer = torch.optim.Adam(mix.parameters(), lr=0.1)
    for _ in range(60):
        maps = [torch.randn(1, 8, 4, 4) for _ in range(3)]
        loss = (mix(maps)[0] - 1.5 * normed(maps[1])).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert mix.weights[1] > 0.9
    assert mix.scale.item() == pytest.approx(1.5, abs=0.1)


def test_backward__maps_and_parameters__have_the_right_gradients() -> None:
    mix = LayerMix([4, 4]).double()
    nn.init.normal_(mix.layer_logits)
    maps = [
        torch.randn(1, 4, 2, 3, dtype=torch.float64, requires_grad=True)
        for _ in range(2)
    ]
    assert torch.autograd.gradcheck(lambda *maps: mix(maps), maps)
    mix(maps)[0].square().sum().backward()
    assert (mix.layer_logits.grad.abs() > 0).all()
    assert mix.scale.grad.abs() > 0


def test_backward__autograd__keeps_one_map_per_layer_not_two() -> None:
    mix, kept = LayerMix([64] * 4), []
    maps = [torch.randn(1, 64, 8, 8, requires_grad=True) for _ in range(4)]

    def remember(tensor):
        kept.append(tensor)
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(remember, lambda tensor: tensor):
        mix(maps)
    storages = {t.untyped_storage().data_ptr(): t.numel() for t in kept}
    assert sum(storages.values()) < 1.5 * sum(map_.numel() for map_ in maps)


def test_mix__batch__equals_its_images_one_by_one() -> None:
    mix = LayerMix([8, 8])
    maps = [torch.randn(3, 8, 4, 5) for _ in range(2)]
    singles = [mix([map_[i : i + 1] for map_ in maps])[0] for i in range(3)]
    torch.testing.assert_close(mix(maps)[0], torch.cat(singles))


def test_mix__output__is_contiguous_and_inputs_are_left_alone() -> None:
    maps = [torch.randn(2, 8, 4, 5) for _ in range(2)]
    before = [map_.clone() for map_ in maps]
    with torch.no_grad():
        mixed = LayerMix([8, 8])(maps)[0]
    assert mixed.is_contiguous()
    assert all(map(torch.equal, maps, before))


def test_mix__bfloat16_autocast_on_half_maps__is_close() -> None:
    mix, maps = LayerMix([8, 8]), [torch.randn(1, 8, 4, 4) for _ in range(2)]
    with torch.autocast('cpu', torch.bfloat16):
        mixed = mix([map_.bfloat16() for map_ in maps])[0]
    torch.testing.assert_close(mixed.float(), mix(maps)[0], rtol=0.02, atol=0.02)


@pytest.mark.parametrize('scope', ['mmdet', 'mmseg'])
def test_mix__from_config__is_built_and_restored(scope) -> None:
    cfg = dict(type='pe_mm.LayerMix', in_channels=[8] * 3)
    with DefaultScope.overwrite_default_scope(scope):
        mix, twin = MODELS.build(cfg), MODELS.build(cfg)
    nn.init.normal_(mix.layer_logits)
    nn.init.normal_(mix.scale)
    assert sorted(mix.state_dict()) == ['layer_logits', 'scale']
    twin.load_state_dict(mix.state_dict())
    maps = [torch.randn(1, 8, 2, 2) for _ in range(3)]
    assert torch.equal(mix(maps)[0], twin(maps)[0])
    assert mix.out_channels == (8,)


@pytest.mark.parametrize(
    ('in_channels', 'message'),
    [
        (768, r'one entry per map, .* got 768'),
        ([8], r'at least two layers, got in_channels=\[8\]; name more'),
        ([], 'at least two layers'),
        ([8, 6], r'equal width can be mixed, got in_channels=\[8, 6\]'),
        ([8, -1], 'in_channels must be an int >= 1, got -1'),
    ],
)
def test_mix__bad_arguments__say_what_is_wrong(in_channels, message) -> None:
    with pytest.raises(ValueError, match=message):
        LayerMix(in_channels)


@pytest.mark.parametrize(
    ('maps', 'message'),
    [
        ([torch.zeros(1, 8, 4, 4)], r'got 1 map of \[8\] channels, built for 2'),
        ([torch.zeros(1, 6, 4, 4)] * 2, 'in_channels must be the out_channels'),
        (
            [torch.zeros(1, 8, 4, 4), torch.zeros(1, 8, 2, 4)],
            r'maps of one size can be mixed, got \[\(4, 4\), \(2, 4\)\]',
        ),
        ([(torch.zeros(1, 8, 4, 4), torch.zeros(1, 8))] * 2, 'output class tokens'),
    ],
)
def test_mix__wrong_maps__are_named(maps, message) -> None:
    with pytest.raises(ValueError, match=message):
        LayerMix([8, 8])(maps)
