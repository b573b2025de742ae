"""Losses of single tokens against plain formulas, and what they refuse."""

import numpy as np
import pytest
import torch

from pe_mm.alignment import TokenCosineLoss, TokenDistanceLoss


def naive_cosine(student, teacher):
    """The mean over images and tokens of -s t / (|s| |t|), one token at a time."""
    pairs = zip(
        student.double().flatten(0, 1).numpy(),
        teacher.double().flatten(0, 1).numpy(),
        strict=True,
    )
    return -np.mean([s @ t / np.linalg.norm(s) / np.linalg.norm(t) for s, t in pairs])


def tokens(*shape):
    return torch.randn(shape)


def test_cosine_loss__random_tokens__equals_the_formula():
    student, teacher = tokens(2, 5, 3), tokens(2, 5, 3)

    value = TokenCosineLoss(loss_weight=2.0)(student, teacher)

    assert value.item() == pytest.approx(2 * naive_cosine(student, teacher), rel=1e-5)


def test_cosine_loss__equal_directions__is_minus_one_at_its_minimum():
    teacher = tokens(2, 5, 3)

    assert TokenCosineLoss()(7 * teacher, teacher).item() == pytest.approx(-1)
    assert TokenCosineLoss()(-teacher, teacher).item() == pytest.approx(1)


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
def test_cosine_loss__half_precision_under_autocast__is_computed_in_single(dtype):
    student, teacher = (100 * tokens(2, 5, 64).to(dtype) for _ in range(2))

    with torch.autocast('cpu', torch.bfloat16):
        value = TokenCosineLoss()(student, teacher)

    assert value.dtype == torch.float32
    # The squares of such values overflow half precision.
    assert value.item() == pytest.approx(naive_cosine(student, teacher), rel=1e-5)


@pytest.mark.parametrize('loss', [TokenCosineLoss(), TokenDistanceLoss()])
def test_token_loss__backward__gives_the_student_gradients_and_the_teacher_none(loss):
    student, teacher = (
        tokens(2, 5, 3).requires_grad_(),
        tokens(2, 5, 3).requires_grad_(),
    )

    loss(student, teacher).backward()

    assert student.grad.abs().sum() > 0
    assert teacher.grad is None


def test_distance_loss__mse_of_raw_teacher__equals_the_formula():
    student, teacher = tokens(2, 5, 3), tokens(2, 5, 3)
    loss = TokenDistanceLoss('mse', normalize_teacher=False, loss_weight=0.5)

    expected = 0.5 * np.square(student.numpy() - teacher.numpy()).mean()

    assert loss(student, teacher).item() == pytest.approx(expected, rel=1e-5)


def test_distance_loss__smooth_l1_of_normalized_teacher__equals_the_formula():
    student, teacher = tokens(2, 5, 8), 1000 * tokens(2, 5, 8) + 7
    t = teacher.double().numpy()
    t = (t - t.mean(-1, keepdims=True)) / t.std(-1, keepdims=True)
    d = np.abs(student.double().numpy() - t)

    value = TokenDistanceLoss()(student, teacher)

    expected = np.where(d < 1, d**2 / 2, d - 0.5).mean()
    assert value.item() == pytest.approx(expected, rel=1e-4)


def test_distance_loss__unknown_distance__names_the_known():
    with pytest.raises(ValueError, match=r"'smooth_l1', 'mse'.*got 'l3'"):
        TokenDistanceLoss('l3')


@pytest.mark.parametrize('loss', [TokenCosineLoss(), TokenDistanceLoss()])
def test_token_loss__other_shapes__says_which_and_what_to_do(loss):
    with pytest.raises(
        ValueError, match=r'channels.*\(2, 5, 3\).*\(2, 5, 4\).*project'
    ):
        loss(tokens(2, 5, 3), tokens(2, 5, 4))
    with pytest.raises(ValueError, match='another grid'):
        loss(tokens(2, 5, 3), tokens(2, 6, 3))
    with pytest.raises(ValueError, match=r'must be \(B, N, C\)'):
        loss(tokens(2, 5, 3, 1), tokens(2, 5, 3, 1))
