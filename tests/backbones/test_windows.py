"""Which tokens share a window, and which blocks have windows."""

import pytest
import torch

from pe_mm.backbones.windows import Windows, resolve_windows

DIVIDED = (2, (4, 6))
PADDED = (3, (4, 7))


def numbered(grid, images=1, channels=1):
    """Return tokens (images, rows * columns, channels) that hold their own number."""
    count = images * grid[0] * grid[1]
    tokens = torch.arange(count, dtype=torch.float32)
    return tokens.reshape(images, -1, 1).expand(-1, -1, channels)


def cut_by_hand(tokens, grid, size, filling):
    """Cut (B, rows * columns, C) into windows with loops, as ``pad`` should."""
    windows = []
    for image in tokens.unflatten(1, grid):
        for top in range(0, grid[0], size):
            for left in range(0, grid[1], size):
                window = filling.expand(size, size, -1).clone()
                part = image[top : top + size, left : left + size]
                window[: part.shape[0], : part.shape[1]] = part
                windows.append(window.flatten(0, 1))
    return torch.stack(windows)


@pytest.mark.parametrize(
    ('size', 'grid'), [DIVIDED, (1, (2, 3)), (4, (4, 4)), (3, (3, 9))]
)
def test_split__windows_that_divide_the_grid__orders_tokens_by_window(
    size, grid
) -> None:
    windows = Windows(size, grid)
    tokens = numbered(grid, images=3, channels=2)
    split = windows.split(tokens)
    assert windows.divides
    assert torch.equal(split, cut_by_hand(tokens, grid, size, torch.zeros(2)))
    assert torch.equal(windows.join(split), tokens)


def test_split__windows_that_need_padding__leaves_tokens_where_they_are() -> None:
    windows = Windows(*PADDED)
    tokens = numbered(PADDED[1])
    assert not windows.divides
    assert windows.split(tokens) is tokens
    assert windows.join(tokens) is tokens
    assert windows.by_image(tokens) is tokens


def test_by_image__split_tokens__has_one_entry_per_image() -> None:
    windows = Windows(*DIVIDED)
    tokens = numbered(DIVIDED[1], images=3)
    by_image = windows.by_image(windows.split(tokens))
    assert by_image.shape == (3, 6, 4, 1)
    for image, own in zip(tokens, by_image, strict=True):
        assert torch.equal(own.flatten().sort().values, image.flatten())


@pytest.mark.parametrize(
    ('size', 'grid'), [PADDED, (4, (4, 7)), (4, (7, 4)), (5, (2, 9)), (5, (9, 2))]
)
def test_pad__any_grid__puts_the_filling_right_and_below(size, grid) -> None:
    windows = Windows(size, grid)
    tokens = numbered(grid, images=2, channels=3)
    filling = torch.tensor([-1.0, -2.0, -3.0])
    padded = windows.pad(tokens, filling)
    assert torch.equal(padded, cut_by_hand(tokens, grid, size, filling))
    assert torch.equal(windows.crop(padded), tokens)


def test_pad__gradients__reach_tokens_once_and_the_filling_at_every_place() -> None:
    size, grid = PADDED
    windows = Windows(size, grid)
    tokens = torch.randn(2, 28, 3, requires_grad=True)
    filling = torch.randn(3, requires_grad=True)
    windows.pad(tokens, filling).sum().backward()
    assert torch.equal(tokens.grad, torch.ones(2, 28, 3))
    # 2 x 3 windows of 9 places, less the tokens, in two images.
    assert torch.equal(filling.grad, torch.full((3,), 2.0 * (6 * 9 - 28)))


def test_pad__filling_of_another_dtype__is_cast_to_the_tokens() -> None:
    tokens = numbered(PADDED[1]).to(torch.bfloat16)
    padded = Windows(*PADDED).pad(tokens, torch.tensor([7.0]))
    assert padded.dtype == torch.bfloat16
    assert (padded == 7).sum() == 26 + 1


@pytest.mark.parametrize(('size', 'grid'), [(5, (4, 4)), (8, (7, 3))])
def test_init__larger_than_the_grid__says_both_and_what_to_do(size, grid) -> None:
    match = rf'window_size={size} is larger than the grid of {grid[0]} x {grid[1]} '
    with pytest.raises(ValueError, match=match + '.*use a smaller window'):
        Windows(size, grid)


@pytest.mark.parametrize(
    ('blocks', 'windowed'),
    [
        ((), (True,) * 4),
        ([], (True,) * 4),
        ((1, 3), (True, False, True, False)),
        (-1, (True, True, True, False)),
        (0, (False, True, True, True)),
        ('last', (True, True, True, False)),
        ('all', (False,) * 4),
    ],
)
def test_resolve__global_blocks__are_the_ones_without_windows(blocks, windowed) -> None:
    assert resolve_windows(7, blocks, built=4, depth=4) == windowed


def test_resolve__no_window__has_no_windowed_block() -> None:
    assert resolve_windows(None, (), built=3, depth=8) == (False,) * 3


def test_resolve__truncated_encoder__counts_from_the_end_of_the_whole() -> None:
    windowed = resolve_windows(2, (-3,), built=3, depth=5)
    assert windowed == (True, True, False)


@pytest.mark.parametrize('size', [0, -1, 2.5, True, '4', (4, 4)])
def test_resolve__size_that_is_no_count__is_an_error(size) -> None:
    with pytest.raises(ValueError, match='window_size must be an int >= 1, got'):
        resolve_windows(size, (), built=4, depth=4)


@pytest.mark.parametrize(
    ('blocks', 'message'),
    [
        ((4,), r'global_blocks: layer 4 does not exist: the encoder has blocks 0\.\.3'),
        ((-5,), 'global_blocks: layer -5 does not exist'),
        ((2, 1), r'global_blocks: layers \(2, 1\) are not in ascending order'),
        ((1, 1), 'global_blocks: .* more than once'),
        ((1.0,), 'global_blocks: a layer is an integer block id, got 1.0'),
        ('first', "global_blocks: unknown layer choice 'first'"),
        (None, 'global_blocks: a layer is an integer block id, got None'),
        (
            (1, 3),
            r'global_blocks: \[3\] are not built, the last layer of out_indices is 2; '
            'leave them out of global_blocks, or ask for a later layer',
        ),
    ],
)
def test_resolve__bad_global_blocks__are_an_error(blocks, message) -> None:
    with pytest.raises(ValueError, match=message):
        resolve_windows(2, blocks, built=3, depth=4)


@pytest.mark.parametrize('blocks', [(1,), 0, 'all'])
def test_resolve__global_blocks_without_a_window__are_an_error(blocks) -> None:
    with pytest.raises(ValueError, match='needs window_size: without it every block'):
        resolve_windows(None, blocks, built=4, depth=4)
