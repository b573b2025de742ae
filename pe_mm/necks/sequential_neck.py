"""Several necks as one, for detectors and segmentors, which take a single one."""

from collections.abc import Sequence
from typing import Any

from mmengine.model import Sequential
from mmengine.registry import MODELS


@MODELS.register_module()
class SequentialNeck(Sequential):
    """Apply necks one after the other, each to the tuple of maps of the one before.

    Args:
        necks: Their configs, such as ``[dict(type='pe_mm.LayerMix', ...),
            dict(type='pe_mm.SimpleFeaturePyramid', ...)]``. The i-th one's parameters
            are ``neck.{i}.*``.
        init_cfg: mmengine's initialisation config.

    Raises:
        ValueError: ``necks`` is no list, or an empty one.
    """

    def __init__(
        self,
        necks: Sequence[dict[str, Any]],
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        if not isinstance(necks, (list, tuple)) or not necks:
            raise ValueError(
                'necks must be a list of the configs of one neck or more, got '
                f'{necks!r}'
            )
        super().__init__(*[MODELS.build(neck) for neck in necks], init_cfg=init_cfg)
