"""The model inside of what spreads it over processes."""

from types import SimpleNamespace

from mmengine.registry import MODEL_WRAPPERS
from torch import nn

from pe_mm.engine.unwrapping import unwrapped_model


class Wrapper(nn.Module):
    """Registered as mmengine's own are."""

    def __init__(self, module):
        super().__init__()
        self.module = module


def test_unwrapped_model__wrapped_or_not__is_the_model(monkeypatch):
    monkeypatch.setitem(MODEL_WRAPPERS.module_dict, 'Wrapper', Wrapper)
    model = nn.Linear(2, 2)

    assert unwrapped_model(SimpleNamespace(model=model)) is model
    assert unwrapped_model(SimpleNamespace(model=Wrapper(model))) is model
