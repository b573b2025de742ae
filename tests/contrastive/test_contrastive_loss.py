import pytest
import torch
import torch.multiprocessing as mp
import torch.nn.functional as F
from two_processes import Towers, pairs, train_half

from pe_mm.contrastive.contrastive_loss import contrastive_loss


def test_contrastive_loss__two_processes__are_the_joined_batch(tmp_path):
    # Neither is this process: DDP of a destroyed group may wait for itself for ever.
    mp.spawn(train_half, args=(tmp_path,), nprocs=2)
    (first, gradients), (second, others) = (
        torch.load(tmp_path / f'{rank}.pt', weights_only=True) for rank in (0, 1)
    )
    towers = Towers()
    loss = towers(*pairs())
    loss.backward()
    torch.testing.assert_close((first + second) / 2, loss.detach())
    assert not torch.isclose(first, second)
    for name, parameter in towers.named_parameters():
        torch.testing.assert_close(gradients[name], parameter.grad)
        assert gradients[name].equal(others[name])
        assert parameter.grad.abs().max() > 1e-3


def test_contrastive_loss__one_process__is_open_clips():
    from open_clip.loss import ClipLoss

    visual, text = F.normalize(torch.randn(2, 6, 8), dim=-1)
    scale = torch.tensor(14.0)
    torch.testing.assert_close(
        contrastive_loss(visual, text, scale), ClipLoss()(visual, text, scale)
    )


def test_contrastive_loss__half_precision__is_computed_in_fp32():
    features = F.normalize(torch.randn(2, 6, 8), dim=-1)
    scale = torch.tensor(100.0)
    expected = contrastive_loss(*features.bfloat16().float(), scale)
    with torch.autocast('cpu', torch.bfloat16):
        loss = contrastive_loss(*features.bfloat16(), scale)
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(expected.item(), abs=1e-6)


def test_contrastive_loss__matching_pairs__is_near_zero_and_alike_ones_at_chance():
    features = torch.eye(8)
    matched = contrastive_loss(features, features, torch.tensor(100.0))
    alike = contrastive_loss(torch.ones(8, 8) / 8**0.5, features, torch.tensor(1.0))
    assert matched < 1e-6
    assert alike.item() == pytest.approx(torch.log(torch.tensor(8.0)).item())
