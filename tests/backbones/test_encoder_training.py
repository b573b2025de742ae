"""Gradients, freezing, recomputation, stochastic depth and data parallelism."""

from collections.abc import Iterator

import pytest
import torch
from torch import Tensor

from pe_mm import PerceptionEncoder

TINY = dict(depth=4, width=32, heads=4, patch_size=8, image_size=32)
TINY_CORE = TINY | dict(pool='attn', final_norm=True, embed_dim=12)
DIVIDED = dict(window_size=2, global_blocks=(2,), rope='rescale')
PADDED = dict(window_size=3, global_blocks=(2,), position_embedding='tile')


def stored_by(encoder: PerceptionEncoder, images: Tensor) -> tuple[list[int], Tensor]:
    """Return the sizes of what autograd stores, and the first map."""
    sizes = []

    def pack(tensor: Tensor) -> Tensor:
        sizes.append(tensor.numel())
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        maps = encoder(images)
    return sizes, maps[0]


@pytest.mark.parametrize(
    'options',
    [
        dict(out_indices=(1, 2)),
        dict(out_indices=(1, 3), with_cp=True, drop_path_rate=0.1),
        dict(patch_size=16),
        dict(DIVIDED),
        dict(PADDED, out_indices=(0, 3), with_cp=True),
        dict(window_size=3, apply_final_norm=True, variant=TINY_CORE),
    ],
)
def test_backward__dense_outputs__reach_every_parameter(options) -> None:
    variant = options.pop('variant', TINY) | dict(layer_scale=0.1)
    encoder = PerceptionEncoder(variant, **options).train()
    maps = encoder(torch.randn(8, 3, 40, 32))
    sum(map_.square().mean() for map_ in maps).backward()
    assert [
        n for n, p in encoder.named_parameters() if p.grad is None or not p.grad.any()
    ] == []


def test_backward__pooled_embedding__reaches_every_parameter() -> None:
    encoder = PerceptionEncoder(TINY_CORE, with_pooling=True)
    encoder.embed_image(torch.randn(2, 3, 32, 32)).square().mean().backward()
    without = [n for n, p in encoder.named_parameters() if p.grad is None]
    assert without == ['head.bias']  # Meta's projection has none.


@pytest.mark.parametrize('options', [{}, DIVIDED, PADDED])
def test_with_cp__gradients__equal_those_without(options) -> None:
    gradients = []
    for with_cp in (False, True):
        torch.manual_seed(0)
        encoder = PerceptionEncoder(
            TINY, 'all', with_cp=with_cp, drop_path_rate=0.5, **options
        ).train()
        maps = encoder(torch.randn(4, 3, 32, 32))
        sum(map_.square().mean() for map_ in maps).backward()
        gradients.append([p.grad for p in encoder.parameters()])
    for plain, recomputed in zip(*gradients, strict=True):
        torch.testing.assert_close(plain, recomputed)


@pytest.mark.parametrize('options', [{}, DIVIDED, PADDED])
def test_with_cp__activations__are_not_stored(options) -> None:
    def stored(with_cp: bool) -> int:
        encoder = PerceptionEncoder(TINY, with_cp=with_cp, **options).train()
        return sum(stored_by(encoder, torch.randn(4, 3, 32, 32))[0])

    assert stored(True) < 0.2 * stored(False)


def test_drop_path_rate__grows_linearly_over_the_blocks_built() -> None:
    encoder = PerceptionEncoder(TINY, (2,), drop_path_rate=0.2)
    rates = [getattr(block.drop_path, 'drop_prob', 0.0) for block in encoder.blocks]
    assert rates == pytest.approx([0.0, 0.1, 0.2])


def test_drop_path__meta_detectors__grows_to_a_half_over_fifty_blocks() -> None:
    with torch.device('meta'):
        encoder = PerceptionEncoder('PE-Spatial-G14-448', drop_path_rate=0.5)
    rates = [getattr(block.drop_path, 'drop_prob', 0.0) for block in encoder.blocks]
    assert rates == pytest.approx([0.5 * index / 49 for index in range(50)])


@pytest.mark.parametrize('options', [DIVIDED, PADDED])
def test_drop_path__windows__drops_the_same_images_as_without(options) -> None:
    torch.manual_seed(0)
    plain = PerceptionEncoder(TINY | dict(class_token=False), 'all', drop_path_rate=0.9)
    windowed = PerceptionEncoder(TINY, 'all', drop_path_rate=0.9, **options)
    windowed.load_state_dict(plain.state_dict())
    images = torch.randn(8, 3, 32, 32)
    changed = []
    for encoder in (plain, windowed):
        torch.manual_seed(1)
        maps = encoder.train()(images)
        steps = zip(maps, maps[1:], strict=False)
        # Places whose tokens a block changed: all of an image, or none.
        changed.append(torch.stack([(b != a).any(dim=1) for a, b in steps]))
    assert torch.equal(*changed)
    by_image = changed[0].flatten(2)
    assert torch.equal(by_image.all(-1), by_image.any(-1))
    assert 0 < by_image.all(-1).sum() < by_image.any(-1).numel()


@pytest.mark.parametrize('options', [{}, DIVIDED, PADDED])
@pytest.mark.parametrize('freeze', [1, 2, 3, True])
def test_freeze__blocks__get_no_gradients_keep_nothing_and_stay_in_eval(
    freeze, options
) -> None:
    encoder = PerceptionEncoder(
        TINY_CORE, apply_final_norm=True, freeze=freeze, drop_path_rate=0.5, **options
    ).train()
    frozen = 4 if freeze is True else freeze
    assert [block.training for block in encoder.blocks] == [
        index >= frozen for index in range(4)
    ]
    assert not encoder.patch_embed.training
    trainable = {
        n.split('.')[1]
        for n, p in encoder.blocks.named_parameters('blocks')
        if p.requires_grad
    }
    assert trainable == {str(index) for index in range(frozen, 4)}
    parameters = dict(encoder.named_parameters())
    stem = {'patch_embed.proj.weight', 'pos_embed', 'cls_token', 'norm_pre.weight'}
    assert not any(parameters[name].requires_grad for name in stem & set(parameters))
    assert parameters['norm.weight'].requires_grad is (freeze is not True)

    kept, map_ = stored_by(encoder, torch.randn(2, 3, 32, 32))
    assert bool(kept) is (freeze is not True)
    assert map_.requires_grad is (freeze is not True)
    if map_.requires_grad:
        map_.square().mean().backward()
        trainable = [p for p in parameters.values() if p.requires_grad]
        assert all(p.grad is not None for p in trainable)


@pytest.mark.parametrize('options', [DIVIDED, PADDED])
@pytest.mark.parametrize('with_cp', [False, True])
@pytest.mark.parametrize('freeze', [1, 2, 3])
def test_freeze__within_windowed_blocks__leaves_maps_and_gradients_as_they_were(
    freeze, with_cp, options
) -> None:
    torch.manual_seed(0)
    whole = PerceptionEncoder(TINY, 'all', **options).train()
    encoder = PerceptionEncoder(
        TINY, 'all', freeze=freeze, with_cp=with_cp, **options
    ).train()
    encoder.load_state_dict(whole.state_dict())
    images = torch.randn(2, 3, 32, 40)
    all_maps = [e(images) for e in (whole, encoder)]
    for maps in all_maps:
        sum(map_.square().mean() for map_ in maps).backward()
    for ours, wanted in zip(*all_maps, strict=True):
        assert torch.equal(ours, wanted)
    for (name, ours), wanted in zip(
        encoder.named_parameters(), whole.parameters(), strict=True
    ):
        if ours.requires_grad:
            torch.testing.assert_close(ours.grad, wanted.grad)
        else:
            assert ours.grad is None, name


@pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float16])
@pytest.mark.parametrize('options', [{}, DIVIDED, PADDED])
def test_autocast__training__has_gradients_close_to_those_in_fp32(
    dtype, options
) -> None:
    encoder = PerceptionEncoder(TINY | dict(layer_scale=0.1), **options)
    images = torch.randn(2, 3, 32, 40)
    gradients = []
    for enabled in (False, True):
        with torch.autocast('cpu', dtype=dtype, enabled=enabled):
            # Not the mean, whose gradients would be too small for fp16.
            loss = encoder(images)[0].square().sum()
        gradients.append(torch.autograd.grad(loss, list(encoder.parameters())))
    for wanted, ours in zip(*gradients, strict=True):
        assert ours.dtype == torch.float32
        assert (ours - wanted).norm() < 0.02 * wanted.norm()


@pytest.fixture
def one_process_group(tmp_path) -> Iterator[None]:
    """Join a group of one process, which is enough for DDP's checks."""
    torch.distributed.init_process_group(
        'gloo', init_method=f'file://{tmp_path}/store', rank=0, world_size=1
    )
    yield
    torch.distributed.destroy_process_group()


@pytest.mark.parametrize(
    'options',
    [
        dict(out_indices=(1, 2)),
        dict(freeze=2),
        dict(with_cp=True, freeze=1),
        dict(output_class_token=True),
        dict(DIVIDED, drop_path_rate=0.5),
        dict(PADDED, freeze=1),
        dict(PADDED, with_cp=True, out_indices=(0, 3)),
    ],
)
@pytest.mark.usefixtures('one_process_group')
def test_ddp__two_steps__needs_no_find_unused_parameters(options) -> None:
    encoder = PerceptionEncoder(TINY, **options).train()
    parallel = torch.nn.parallel.DistributedDataParallel(encoder)
    images = torch.randn(2, 3, 32, 32)
    for _ in range(2):  # the second step finds what the first did not reduce
        outputs = parallel(images)
        maps = [out[0] if isinstance(out, tuple) else out for out in outputs]
        sum(map_.square().mean() for map_ in maps).backward()
    assert all(p.grad is not None for p in encoder.parameters() if p.requires_grad)
