"""The row-wise loss against the plain one: values, gradients, memory, bad input."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch.utils._python_dispatch import TorchDispatchMode

from pe_mm.alignment import PairwiseSimilarityLoss


def naive(student, teacher, temperature):
    """Eq. 3 of arXiv 2504.13181 with whole matrices, in double precision."""

    def similarity(tokens):
        unit = F.normalize(tokens.double(), dim=-1)
        return unit @ unit.mT

    target = similarity(teacher)
    if temperature is not None:
        target = (temperature * (target - 1)).exp()
    return (similarity(student) - target).square().mean()


def gradient(loss, student):
    return torch.autograd.grad(loss, student)[0]


@pytest.mark.parametrize('temperature', [20.0, 1.0, None])
@pytest.mark.parametrize('block_rows', [1, 4, 9, 100])
def test_loss__any_blocks__value_and_gradient_equal_the_plain_form(
    block_rows, temperature
):
    student = torch.randn(3, 9, 5).requires_grad_()
    teacher = torch.randn(3, 9, 7)

    value = PairwiseSimilarityLoss(temperature, block_rows=block_rows, loss_weight=3.0)(
        student, teacher
    )

    expected = 3 * naive(student, teacher, temperature)
    assert value.item() == pytest.approx(expected.item(), rel=1e-5)
    torch.testing.assert_close(
        gradient(2 * value, student),
        gradient(2 * expected, student).float(),
        rtol=1e-4,
        atol=1e-7,
    )


def test_loss__loops_over_pairs__equals_the_mean_of_their_squares():
    student, teacher = np.random.default_rng(0).standard_normal((2, 1, 4, 3))

    def cosine(a, b):
        return a @ b / np.linalg.norm(a) / np.linalg.norm(b)

    squares = [
        (
            cosine(student[0, i], student[0, j])
            - np.exp(20 * (cosine(teacher[0, i], teacher[0, j]) - 1))
        )
        ** 2
        for i in range(4)
        for j in range(4)
    ]
    value = PairwiseSimilarityLoss()(torch.tensor(student), torch.tensor(teacher))

    assert value.item() == pytest.approx(np.mean(squares), rel=1e-5)


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
def test_loss__half_precision_under_autocast__is_computed_in_single(dtype):
    student = (100 * torch.randn(2, 9, 64)).to(dtype).requires_grad_()
    teacher = (100 * torch.randn(2, 9, 64)).to(dtype)

    with torch.autocast('cpu', torch.bfloat16):
        value = PairwiseSimilarityLoss(block_rows=4)(student, teacher)

    expected = naive(student, teacher, 20.0)
    assert value.dtype == torch.float32
    assert value.item() == pytest.approx(expected.item(), rel=1e-5)
    # The gradient is rounded to the student's precision at the end, and only there.
    wanted = gradient(expected, student)
    torch.testing.assert_close(
        gradient(value, student), wanted, rtol=2 * torch.finfo(dtype).eps, atol=1e-7
    )


class LargestTensor(TorchDispatchMode):
    """Note the size of the largest tensor that any operator makes."""

    largest = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        for tensor in torch.utils._pytree.tree_leaves(out):
            if isinstance(tensor, torch.Tensor):
                self.largest = max(self.largest, tensor.numel())
        return out


@pytest.mark.parametrize('count', [64, 256])
def test_loss__forward_and_backward__never_hold_the_matrix(count):
    student = torch.randn(1, count, 4, requires_grad=True)
    saved = []

    with LargestTensor() as sizes:
        with torch.autograd.graph.saved_tensors_hooks(
            lambda t: saved.append(t.numel()) or t, lambda t: t
        ):
            value = PairwiseSimilarityLoss(block_rows=8)(
                student, torch.randn(1, count, 4)
            )
        value.backward()

    assert student.grad is not None
    assert sizes.largest == 8 * count
    assert max(saved) == 4 * count


def test_loss__student_without_gradient__computes_the_value_alone():
    student, teacher = torch.randn(1, 9, 5), torch.randn(1, 9, 5)

    value = PairwiseSimilarityLoss()(student, teacher)

    assert not value.requires_grad
    assert value.item() == pytest.approx(naive(student, teacher, 20.0).item())


def test_loss__tokens_of_length_zero__count_as_similar_to_none():
    student = torch.eye(2)[None]
    teacher = torch.zeros(1, 2, 3)

    value = PairwiseSimilarityLoss(None)(student, teacher)

    assert value.item() == pytest.approx(0.5)


def test_loss__bad_options__says_what_is_allowed():
    for temperature in (0, -1.0, float('nan')):
        with pytest.raises(ValueError, match='temperature must be > 0, or None'):
            PairwiseSimilarityLoss(temperature)
    with pytest.raises(ValueError, match='block_rows must be an int >= 1, got 0'):
        PairwiseSimilarityLoss(block_rows=0)


def test_loss__other_number_of_tokens__says_so():
    with pytest.raises(ValueError, match=r'\(1, 9, 5\), teacher \(1, 8, 5\)'):
        PairwiseSimilarityLoss()(torch.randn(1, 9, 5), torch.randn(1, 8, 5))
