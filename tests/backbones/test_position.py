"""Position embedding and RoPE against independent computations."""

import math

import pytest
import torch
import torch.nn.functional as F

from pe_mm.backbones.position import resize_position_embedding, rope_table, rotate


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
