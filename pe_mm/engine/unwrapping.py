"""The model itself, where something is wrapped around it."""

from typing import Any

from mmengine.model import is_model_wrapper
from mmengine.runner import Runner


def unwrapped_model(runner: Runner) -> Any:
    """Return a runner's model, without what spreads it over processes."""
    model = runner.model
    return model.module if is_model_wrapper(model) else model
