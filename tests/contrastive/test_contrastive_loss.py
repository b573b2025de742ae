import pytest
import torch
import torch.multiprocessing as mp
import torch.nn.functional as F
from image_text_models import samples, tiny_model
from two_processes import CAPTIONS, images, train_half

from pe_mm.contrastive.contrastive_loss import contrastive_loss


def test_contrastive_loss__two_processes__are_the_joined_batch(tmp_path):
    mp.spawn(train_half, (tmp_path,), nprocs=2)
    (first, gradients), (second, others) = (
        torch.load(tmp_path / f'{rank}.pt', weights_only=True) for rank in (0, 1)
    )
    model = tiny_model().train()
    loss = model(images(), samples(CAPTIONS), mode='loss')['loss_contrastive']
    loss.backward()
    torch.testing.assert_close((first + second) / 2, loss.detach())
    assert not torch.isclose(first, second)
    for name, parameter in model.named_parameters():
        torch.testing.assert_close(gradients[name], parameter.grad, msg=name)
        assert gradients[name].equal(others[name]), name
    assert model.logit_scale.grad != 0


def test_contrastive_loss__half_precision__is_computed_in_fp32():
    features = F.normalize(torch.randn(2, 6, 8), dim=-1)
    scale = torch.tensor(100.0)
    expected = contrastive_loss(*features.bfloat16().float(), scale)
    with torch.autocast('cpu', torch.bfloat16):
        loss = contrastive_loss(*features.bfloat16(), scale)
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(expected.item(), abs=1e-6)


def test_contrastive_loss__matching_pairs__is_near_zero_and_random_ones_at_chance():
    features = torch.eye(8)
    matched = contrastive_loss(features, features, torch.tensor(100.0))
    unknown = contrastive_loss(torch.ones(8, 8) / 8**0.5, features, torch.tensor(1.0))
    assert matched < 1e-6
    assert unknown.item() == pytest.approx(torch.log(torch.tensor(8.0)).item())
