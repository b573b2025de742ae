"""Mixed precision for one part of a model."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from mmengine.hooks import Hook
from mmengine.registry import HOOKS
from mmengine.runner import Runner
from torch import nn

from .unwrapping import unwrapped_model

DTYPES = {'bfloat16': torch.bfloat16, 'float16': torch.float16}


@HOOKS.register_module()
class AutocastHook(Hook):
    """Train one part of a model, the encoder by default, under ``torch.autocast``.

    For models that should not train under ``AmpOptimWrapper`` as a whole: mmcv 2.1.0's
    kernel of multi-scale deformable attention, in DINO and Mask2Former, knows no
    bfloat16, and float16 would round its sampling locations. Their encoder is most of
    the work, and its residual stream leaves it in float32.

    The default, bfloat16, needs no loss scaling. Tests run in float32.

    Args:
        part: Name of the module in the model; '' for the model as a whole, with its
            losses.
        dtype: 'bfloat16' or 'float16'.
        methods: What the model calls of the part.

    Raises:
        ValueError: ``dtype`` is another, or the model has no such part or method.
    """

    def __init__(
        self,
        part: str = 'backbone',
        dtype: str = 'bfloat16',
        methods: Sequence[str] = ('forward',),
    ) -> None:
        if dtype not in DTYPES:
            raise ValueError(f'dtype must be one of {sorted(DTYPES)}, got {dtype!r}')
        self.part = part
        self.dtype = DTYPES[dtype]
        self.methods = tuple(methods)

    def before_train(self, runner: Runner) -> None:
        """Wrap the methods of the part."""
        model = unwrapped_model(runner)
        try:
            module = model.get_submodule(self.part)
        except AttributeError as error:
            raise ValueError(
                f'part {self.part!r} is not in the model, which has '
                f'{[name for name, _ in model.named_children()]}'
            ) from error
        for name in self.methods:
            method = getattr(module, name, None)
            if method is None:
                raise ValueError(
                    f'part {self.part!r} is a {type(module).__name__}, which has no '
                    f'method {name!r}'
                )
            setattr(module, name, self._wrap(module, method))

    def _wrap(
        self, module: nn.Module, forward: Callable[..., Any]
    ) -> Callable[..., Any]:
        def autocast_forward(*args: Any, **kwargs: Any) -> Any:
            device = next(module.parameters()).device.type
            with torch.autocast(device, self.dtype, enabled=module.training):
                return forward(*args, **kwargs)

        return autocast_forward
