"""Position embedding and RoPE against independent computations."""

import math

import pytest
import torch
import torch.nn.functional as F

from pe_mm.backbones.position import (
    check_position_method,
    resize_position_embedding,
    resolve_rope,
    rope_table,
    rotate,
)


@pytest.mark.parametrize('class_token', [False, True])
def test_resize__native_grid__returns_the_parameter_itself(class_token) -> None:
    embedding = torch.randn(1, 16 + class_token, 8)
    resized = resize_position_embedding(embedding, (4, 4), class_token=class_token)
    assert resized is embedding


def test_resize__twice_the_columns__is_bilinear_with_half_pixel_centres() -> None:
    row = torch.tensor([0.0, 4.0])
    embedding = row.repeat(2).reshape(1, 4, 1)
    resized = resize_position_embedding(embedding, (1, 4), class_token=False)
    torch.testing.assert_close(resized.flatten(), torch.tensor([0.0, 1.0, 3.0, 4.0]))


def test_resize__class_token__keeps_its_row() -> None:
    embedding = torch.randn(1, 17, 8)
    resized = resize_position_embedding(embedding, (3, 6), class_token=True)
    assert resized.shape == (1, 19, 8)
    assert torch.equal(resized[:, 0], embedding[:, 0])
    patches = embedding[:, 1:].reshape(1, 4, 4, 8).permute(0, 3, 1, 2)
    wanted = F.interpolate(patches, (3, 6), mode='bilinear', align_corners=False)
    torch.testing.assert_close(resized[:, 1:], wanted.flatten(2).transpose(1, 2))


@pytest.mark.parametrize('grid', [(8, 8), (4, 8), (7, 5), (3, 4), (1, 1), (2, 9)])
@pytest.mark.parametrize('class_token', [False, True])
def test_tile__any_grid__repeats_right_and_down(grid, class_token) -> None:
    embedding = torch.randn(1, 16 + class_token, 3)
    tiled = resize_position_embedding(
        embedding, grid, class_token=class_token, method='tile'
    )
    assert tiled.shape == (1, grid[0] * grid[1] + class_token, 3)
    assert torch.equal(tiled[:, :class_token], embedding[:, :class_token])
    for row in range(grid[0]):
        for column in range(grid[1]):
            ours = tiled[0, class_token + row * grid[1] + column]
            stored = embedding[0, class_token + row % 4 * 4 + column % 4]
            assert torch.equal(ours, stored)


def test_tile__gradient__counts_how_often_a_position_is_used() -> None:
    embedding = torch.zeros(1, 4, 1, requires_grad=True)
    tiled = resize_position_embedding(
        embedding, (3, 5), class_token=False, method='tile'
    )
    tiled.sum().backward()
    # Rows 0, 1, 0 and columns 0, 1, 0, 1, 0.
    assert embedding.grad.flatten().tolist() == [6, 4, 3, 2]


def test_resize_bicubic__twice_the_columns__is_keys_kernel_without_antialias() -> None:
    row = torch.tensor([0.0, 1.0, 4.0, 2.0])
    embedding = row.repeat(4).reshape(1, 16, 1)
    resized = resize_position_embedding(
        embedding, (4, 8), class_token=False, method='resize_bicubic'
    )
    near, far = -0.75 * 0.25 * 0.75**2, -0.75 * 0.75 * 0.25**2
    # Cubic convolution with a = -0.75 at 1/4 and 3/4 between two positions.
    inner = (1.25 * 0.25**3 - 2.25 * 0.25**2 + 1, 1.25 * 0.75**3 - 2.25 * 0.75**2 + 1)
    at_quarter = [near, inner[0], inner[1], far]
    wanted = sum(w * v for w, v in zip(at_quarter, row.tolist(), strict=True))
    for line in resized.reshape(4, 8):
        assert line[3].item() == pytest.approx(wanted, abs=1e-5)


@pytest.mark.parametrize('method', ['resize', 'resize_bicubic', 'tile'])
def test_every_method__half_precision__keeps_the_dtype_and_computes_in_fp32(
    method,
) -> None:
    embedding = torch.randn(1, 16, 8).bfloat16()
    half, full = (
        resize_position_embedding(values, (6, 7), class_token=False, method=method)
        for values in (embedding, embedding.float())
    )
    assert half.dtype == torch.bfloat16
    assert torch.equal(half, full.bfloat16())


@pytest.mark.parametrize('grid', [(3, 3), (6, 6), (4, 7), (1, 9)])
def test_rope_table__reference_size__is_metas_formula_on_each_axis(grid) -> None:
    table = rope_table(grid, 12, class_token=False, reference_size=3)
    frequencies = [10000.0 ** (-2 * k / 6) for k in range(3)]
    for row in range(grid[0]):
        for column in range(grid[1]):
            # Less Meta's + 1, which turns queries and keys alike.
            angles = [column / grid[1] * 3 * f for f in frequencies]
            angles += [row / grid[0] * 3 * f for f in frequencies]
            for ours, angle in zip(table[row * grid[1] + column], angles, strict=True):
                wanted = (math.cos(angle), math.sin(angle))
                assert ours.tolist() == pytest.approx(wanted, abs=1e-6)


def test_rope_table__grid_of_the_reference_size__is_not_scaled() -> None:
    wanted = rope_table((5, 5), 8, class_token=True)
    scaled = rope_table((5, 5), 8, class_token=True, reference_size=5)
    assert torch.equal(scaled, wanted)


def test_rope_table__class_token_and_reference_size__counts_patches_from_one() -> None:
    table = rope_table((2, 4), 4, class_token=True, reference_size=2)
    assert table.shape == (9, 2, 2)
    assert table[0].tolist() == [[1, 0], [1, 0]]
    angles = torch.atan2(table[1:, :, 1], table[1:, :, 0]).reshape(2, 4, 2)
    columns, rows = angles.unbind(-1)
    assert columns[0].tolist() == pytest.approx([1.0, 1.5, 2.0, 2.5])
    assert rows[:, 0].tolist() == pytest.approx([1.0, 2.0])


@pytest.mark.parametrize(
    ('mode', 'size', 'resolved'),
    [('extrapolate', None, None), ('rescale', None, 32), ('rescale', 16, 16)],
)
def test_resolve_rope__mode__gives_the_reference_size(mode, size, resolved) -> None:
    assert resolve_rope(mode, size, default=32) == resolved


@pytest.mark.parametrize(
    ('mode', 'size', 'message'),
    [
        (
            'scale',
            None,
            r"rope must be one of \('extrapolate', 'rescale'\), got 'scale'",
        ),
        (None, None, 'rope must be one of .*, got None'),
        ('extrapolate', 16, 'rope_reference_size=16 is for .*leave it out'),
        ('rescale', 0, 'rope_reference_size must be an int >= 1, got 0'),
        ('rescale', -2, 'rope_reference_size must be an int >= 1, got -2'),
        ('rescale', 2.5, 'rope_reference_size must be an int >= 1, got 2.5'),
        ('rescale', True, 'rope_reference_size must be an int >= 1, got True'),
    ],
)
def test_resolve_rope__bad_option__says_what_is_allowed(mode, size, message) -> None:
    with pytest.raises(ValueError, match=message):
        resolve_rope(mode, size, default=32)


def test_check_position_method__word__is_returned_or_refused() -> None:
    assert check_position_method('tile') == 'tile'
    match = r"must be one of \('resize', 'resize_bicubic', 'tile'\), got 'bilinear'"
    with pytest.raises(ValueError, match=match):
        check_position_method('bilinear')


@pytest.mark.parametrize('class_token', [False, True])
def test_rotate__one_token__turns_pairs_by_column_then_row(class_token) -> None:
    rows, columns, head_dim = 3, 5, 8
    row, column = 2, 3
    index = row * columns + column + class_token
    x = torch.randn(1, rows * columns + class_token, 2, head_dim)
    table = rope_table((rows, columns), head_dim, class_token=class_token)
    turned = rotate(x.clone(), table)[0, index, 1]
    for pair in range(head_dim // 2):
        position = (column, row)[pair // 2] + class_token
        angle = position * 10000.0 ** -(2 * (pair % 2) / (head_dim // 2))
        a, b = x[0, index, 1, 2 * pair : 2 * pair + 2].tolist()
        wanted = (
            a * math.cos(angle) - b * math.sin(angle),
            a * math.sin(angle) + b * math.cos(angle),
        )
        assert turned[2 * pair : 2 * pair + 2].tolist() == pytest.approx(
            wanted, abs=1e-5
        )


def test_rotate__class_token__stays() -> None:
    x = torch.randn(2, 10, 3, 12)
    table = rope_table((3, 3), 12, class_token=True)
    assert torch.equal(rotate(x.clone(), table)[:, 0], x[:, 0])


def test_rotate__with_gradient__equals_in_place_and_is_orthogonal() -> None:
    x = torch.randn(2, 9, 3, 12, requires_grad=True)
    table = rope_table((3, 3), 12, class_token=False)
    turned = rotate(x, table)
    overwritten = x.detach().clone()
    assert torch.equal(rotate(overwritten, table, in_place=True), turned)
    assert torch.equal(overwritten, turned)
    gradient = torch.randn_like(turned)
    turned.backward(gradient)
    # The transpose of a rotation is its inverse, so the gradient keeps its norm.
    torch.testing.assert_close(x.grad.norm(dim=-1), gradient.norm(dim=-1))


def test_rotate__compiled_arithmetic__equals_eager(monkeypatch) -> None:
    x = torch.randn(2, 9, 3, 12)
    table = rope_table((3, 3), 12, class_token=False)
    eager = rotate(x.clone(), table)
    monkeypatch.setattr(torch.compiler, 'is_compiling', lambda: True)
    torch.testing.assert_close(rotate(x, table), eager, rtol=1e-6, atol=1e-6)


def test_rotate__double_precision__is_not_rounded() -> None:
    x = torch.randn(1, 9, 3, 12, dtype=torch.float64)
    turned = rotate(x, rope_table((3, 3), 12, class_token=False))
    assert turned.dtype == torch.float64
    assert torch.equal(turned[:, 0], x[:, 0])


def test_rotate__half_precision__computes_in_fp32_and_keeps_the_dtype() -> None:
    x = torch.randn(1, 9, 3, 12, dtype=torch.bfloat16)
    table = rope_table((3, 3), 12, class_token=False)
    turned = rotate(x, table)
    assert turned.dtype == torch.bfloat16
    assert torch.equal(turned, rotate(x.float(), table).bfloat16())
