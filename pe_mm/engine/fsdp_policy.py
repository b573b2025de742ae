"""Which parts of a model FSDP gathers together."""

from mmengine.registry import FUNCTIONS
from torch import nn


@FUNCTIONS.register_module()
def wrap_blocks(module: nn.Module, recurse: bool, nonwrapped_numel: int) -> bool:
    """Wrap transformer blocks one by one, and nothing between them and the model.

    For ``auto_wrap_policy='pe_mm.wrap_blocks'`` of ``MMFullyShardedDataParallel``.
    Policies that go by size may wrap a whole encoder too, whose other methods than
    ``forward`` would then find its parameters scattered.

    Args:
        module: A part of the model; a block is one whose class is named so, as those of
            pe_mm, timm, open_clip and torch are.
        recurse: Whether the question is only to look inside.
        nonwrapped_numel: Parameters in it; not asked.
    """
    name = type(module).__name__
    return recurse or name.endswith(('Block', 'EncoderLayer'))
