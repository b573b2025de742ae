"""The contestants compute what the benchmark says they do."""

import pytest
import torch

from pe_mm import PerceptionEncoder
from pe_mm.variants import Variant

TINY = Variant(
    depth=4, width=32, heads=2, patch_size=16, image_size=64, class_token=False
)


@pytest.mark.parametrize('class_token', [True, False])
def test_floor__image__runs_on_the_encoders_shapes(contestants, class_token) -> None:
    variant = Variant(depth=3, width=16, heads=2, patch_size=8, class_token=class_token)
    floor = contestants.Floor(variant, 2)
    assert floor(torch.randn(2, 3, 32, 16)).shape == (2, 8 + class_token, 16)
    weights = sum(p.numel() for p in floor.blocks.parameters())
    assert weights == 2 * (12 * 16 * 16 + 9 * 16)


def attended_shapes(model, image, monkeypatch):
    """Return the shapes of the queries of every attention call."""
    shapes = []
    attention = torch.nn.functional.scaled_dot_product_attention

    def noted(q, k, v):
        shapes.append(tuple(q.shape))
        return attention(q, k, v)

    monkeypatch.setattr(torch.nn.functional, 'scaled_dot_product_attention', noted)
    with torch.no_grad():
        model(image)
    monkeypatch.undo()
    return shapes


@pytest.mark.parametrize('side', [4, 6])
def test_floor__windows__attends_on_the_shapes_of_ours(
    contestants, monkeypatch, side
) -> None:
    image = torch.randn(2, 3, 16 * side, 16 * side)
    ours = contestants.Detector(TINY, 4, 4).eval()
    floor = contestants.Floor(
        TINY, 4, grid=(side, side), window_size=4, global_blocks=(0, 1, 2, 3)[1::2]
    )
    # The last block of each quarter of 4 blocks is every block.
    assert ours.model.windowed == (False,) * 4
    ours.model.windowed = (True, False, True, False)
    expected = attended_shapes(ours, image, monkeypatch)
    windows = (side + 3) // 4
    assert expected[0] == (2 * windows**2, 2, 16, 16)
    assert expected[1] == (2, 2, side * side, 16)
    assert attended_shapes(floor, image, monkeypatch) == expected


@pytest.mark.parametrize(('window', 'side'), [(4, 8), (4, 6), (3, 8)])
@pytest.mark.parametrize('grad', [True, False])
def test_partition_every_block__same_weights__equals_ours(
    contestants, window, side, grad
) -> None:
    variant = Variant(
        depth=8,
        width=32,
        heads=2,
        patch_size=16,
        image_size=64,
        class_token=False,
        layer_scale=0.1,
    )
    ours = contestants.Detector(variant, 8, window)
    other = contestants.PartitionEveryBlock(variant, 8, window)
    other.load_state_dict(ours.state_dict())
    assert ours.model.windowed == (True, False) * 4
    image = torch.randn(2, 3, 16 * side, 16 * side)
    with torch.set_grad_enabled(grad):
        expected, got = ours(image), other(image)
    assert (got - expected).abs().max() < 1e-5 * expected.abs().max()


def test_detector__no_window__attends_over_the_whole_map(contestants) -> None:
    model = contestants.Detector(TINY, 4, None).model
    assert isinstance(model, PerceptionEncoder)
    assert model.windowed == (False,) * 4
    assert model.rope_reference_size == TINY.grid_size


def test_timm_features__same_weights__equal_ours_at_the_native_grid(
    contestants,
) -> None:
    from pe_mm.variants import VARIANTS

    variant = VARIANTS['PE-Spatial-T16-512']
    ours = contestants.Ours(variant, 2).eval()
    timm = contestants.TimmFeatures(variant, 512, 2).eval()
    timm.model.load_state_dict(ours.model.state_dict())
    image = torch.randn(1, 3, 512, 512)
    with torch.no_grad():
        expected, got = ours(image), timm(image)
    assert (got - expected).abs().max() < 1e-5 * expected.abs().max()


def test_detection_global_blocks__cut_depth__keeps_whole_quarters(contestants) -> None:
    variant = Variant(depth=24, width=32, heads=2, patch_size=16)
    assert contestants.detection_global_blocks(variant, 12) == (5, 11)
    with pytest.raises(ValueError, match='depth 7 is no whole .* cut to 6, 12, 18, 24'):
        contestants.detection_global_blocks(variant, 7)


def test_detection_variant__patch_14__keeps_grid_and_drops_the_token(
    contestants,
) -> None:
    from pe_mm.variants import VARIANTS

    variant = contestants.detection_variant(VARIANTS['PE-Spatial-L14-448'])
    assert (variant.patch_size, variant.grid_size) == (16, 32)
    assert not variant.class_token
