"""Gradients that travel between GPUs in half precision."""

from mmengine.hooks import Hook
from mmengine.registry import HOOKS
from mmengine.runner import Runner
from torch.distributed.algorithms.ddp_comm_hooks.default_hooks import fp16_compress_hook
from torch.nn.parallel import DistributedDataParallel


@HOOKS.register_module()
class Fp16GradientsHook(Hook):
    """Let DistributedDataParallel average gradients in float16.

    Halves the traffic of a training on several GPUs; the gradients that the optimizer
    sees are float32 again. Detectron2 does the same with ``ddp.fp16_compression``.
    Does nothing where the model is not distributed.
    """

    def before_train(self, runner: Runner) -> None:
        """Register torch's communication hook on the wrapped model."""
        if isinstance(runner.model, DistributedDataParallel):
            runner.model.register_comm_hook(state=None, hook=fp16_compress_hook)
        else:
            runner.logger.info(
                'Fp16GradientsHook has nothing to do: the model is '
                f'{type(runner.model).__name__}, not DistributedDataParallel'
            )
