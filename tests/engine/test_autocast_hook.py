"""One part of a model computes in half precision while it trains."""

from types import SimpleNamespace

import pytest
import torch
from torch import nn

from pe_mm import PerceptionEncoder
from pe_mm.engine.autocast_hook import AutocastHook


class Detector(nn.Module):
    """An encoder and a head, and the types that both compute in."""

    def __init__(self, with_cp=False):
        super().__init__()
        variant = dict(depth=2, width=32, heads=2, patch_size=16, image_size=64)
        self.backbone = PerceptionEncoder(variant, with_cp=with_cp)
        self.head = nn.Conv2d(32, 4, 1)
        self.dtypes = []
        for layer in (self.backbone.blocks[1].mlp.fc1, self.head):
            layer.register_forward_hook(self.note)

    def note(self, _, inputs, output):
        self.dtypes.append(output.dtype)

    def forward(self, image):
        (features,) = self.backbone(image)
        return self.head(features), features


@pytest.fixture
def image():
    return torch.randn(1, 3, 64, 64)


@pytest.mark.parametrize('with_cp', [False, True])
def test_training__encoder__is_half_precision_and_the_head_is_not(with_cp, image):
    model = Detector(with_cp)
    exact = model(image)[1]
    model.dtypes.clear()
    AutocastHook().before_train(SimpleNamespace(model=model))

    output, features = model(image)
    output.sum().backward()

    assert model.dtypes[:2] == [torch.bfloat16, torch.float32]
    assert features.dtype == torch.float32
    assert not torch.equal(features, exact)
    torch.testing.assert_close(features, exact, rtol=0.05, atol=0.05)
    assert all(p.grad.dtype == torch.float32 for p in model.parameters())


def test_evaluation__encoder__stays_exact(image):
    model = Detector().eval()
    exact = model(image)[1]
    AutocastHook().before_train(SimpleNamespace(model=model))

    assert torch.equal(model(image)[1], exact)


def test_hook__unknown_dtype__names_the_known_ones():
    with pytest.raises(ValueError, match=r"\['bfloat16', 'float16'\], got 'int8'"):
        AutocastHook(dtype='int8')


def test_hook__no_such_part__names_the_parts():
    hook = AutocastHook('encoder')

    with pytest.raises(ValueError, match=r"'encoder' is not in .*\['backbone', 'head'"):
        hook.before_train(SimpleNamespace(model=Detector()))


def test_training__whole_model__is_half_precision_on_the_cpu_too(image):
    model = Detector()
    AutocastHook(part='').before_train(SimpleNamespace(model=model))

    output, _ = model(image)
    output.sum().backward()

    assert model.dtypes == [torch.bfloat16, torch.bfloat16]
    assert all(p.grad.dtype == torch.float32 for p in model.parameters())


def test_hook__methods__are_wrapped_and_no_others(image):
    model = Detector()
    model.backbone.embed = lambda x: model.backbone.patch_embed(x)
    AutocastHook(methods=('embed',)).before_train(SimpleNamespace(model=model))

    assert model.backbone.embed(image).dtype == torch.bfloat16
    assert model.backbone.patch_embed(image).dtype == torch.float32


def test_hook__no_such_method__names_the_part_and_its_class():
    hook = AutocastHook(methods=('encode',))

    with pytest.raises(
        ValueError, match="'backbone' is a .*, which has no .* 'encode'"
    ):
        hook.before_train(SimpleNamespace(model=Detector()))
