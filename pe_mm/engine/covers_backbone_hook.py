"""A check of what is loaded into a model, wherever mmengine loads it from."""

from typing import Any

from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner
from torch.distributed.fsdp import FullyShardedDataParallel

from pe_mm.checkpoints.mmengine_loading import check_covers_backbone


class CoversBackboneHook(Hook):
    """Stop a run whose checkpoint would leave the whole backbone random.

    mmengine's ``load_from`` itself loads what fits and only logs the rest.
    """

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Check the checkpoint that was read, before it goes into the model.

        Raises:
            pe_mm.checkpoints.CheckpointError: Nothing in it is for the backbone.
        """
        model = runner.model
        # FSDP gathers its weights itself, and only from the outside.
        if is_model_wrapper(model) and not isinstance(model, FullyShardedDataParallel):
            model = model.module
        check_covers_backbone(checkpoint, model.state_dict())
