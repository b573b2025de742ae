"""Train at small images first (arXiv 2504.13181, section 2.1, step 2)."""

from collections.abc import Mapping, Sequence
from typing import Any

from mmengine.hooks import Hook
from mmengine.registry import HOOKS
from mmengine.runner import Runner

from pe_mm.engine.unwrapping import unwrapped_model
from pe_mm.variants import check_count


@HOOKS.register_module()
class ProgressiveResolutionHook(Hook):
    """Set the size to which the data preprocessor resizes batches, by the iteration.

    The size is a function of the iteration alone, so a resumed training goes on as if
    it had never stopped. Validation during training sees the current size; a test
    afterwards that of the data preprocessor's config.

    Args:
        stages: ``dict(begin=iteration, size=pixels)`` each, in ascending order; the
            first begins at 0.

    Raises:
        ValueError: The stages are none, unordered, or not of these two fields.
    """

    def __init__(self, stages: Sequence[Mapping[str, int]]) -> None:
        for stage in stages:
            if not isinstance(stage, Mapping) or set(stage) != {'begin', 'size'}:
                raise ValueError(
                    f'a stage must be dict(begin=iteration, size=pixels), got {stage!r}'
                )
            check_count('size of a stage', stage['size'])
        begins = [stage['begin'] for stage in stages]
        if begins[:1] != [0] or begins != sorted(set(begins)):
            raise ValueError(
                f'stages must begin at 0 and then ever later, got {begins}'
            )
        self.stages = [(stage['begin'], stage['size']) for stage in stages]

    def size_at(self, iteration: int) -> int:
        """Return the size of an iteration, counted from 0."""
        return max(stage for stage in self.stages if stage[0] <= iteration)[1]

    def before_train(self, runner: Runner) -> None:
        """Check that there is a size to set.

        Raises:
            ValueError: The model's data preprocessor has none.
        """
        preprocessor = _preprocessor(runner)
        if not hasattr(preprocessor, 'size'):
            raise ValueError(
                'ProgressiveResolutionHook needs a data preprocessor with a size, '
                "data_preprocessor=dict(type='pe_mm.ImageTextPreprocessor'); got "
                f'{type(preprocessor).__name__}'
            )

    def before_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None
    ) -> None:
        """Set the size, before the batch goes through the preprocessor."""
        preprocessor, size = _preprocessor(runner), self.size_at(runner.iter)
        if preprocessor.size != size:
            runner.logger.info(f'Images of {size} px from iteration {runner.iter} on.')
            preprocessor.size = size


def _preprocessor(runner: Runner) -> Any:
    return unwrapped_model(runner).data_preprocessor
