"""What the tasks have in common whose data a config of mmdet or mmseg describes."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, ClassVar

from mmengine.config import Config

from .config_images import check_evaluator, load_splits
from .data_facts import describe_data
from .probe_task import Budget


class ConfigTask:
    """Read both splits of a config of data, and say what was read.

    Args:
        cfg: A config of data, as ``load_data_config`` returns it.
        config: What rows call it.
        side: Of the square images, in pixels.
        budget: Of the training.
        limits: Most images for training and for measuring; None for all.

    Attributes:
        protocol: The budget and the data; tasks add their probe.

    Raises:
        ValueError: The config is of data for another task.
    """

    name: str
    scope: str
    is_random = True
    evaluator: ClassVar[str]  # Type of the evaluator that tells a task's data.

    def __init__(
        self,
        cfg: Config,
        *,
        config: str,
        side: int,
        budget: Budget,
        limits: tuple[int | None, int | None] = (None, None),
    ) -> None:
        check_evaluator(cfg, config, self.name, self.evaluator)
        self.config = config
        self.budget = budget
        self.train, self.val = load_splits(cfg, self.scope, side, limits)
        self.resolution = (side, side)
        self._evaluator = cfg.val_evaluator
        self.protocol: Mapping[str, Any] = {
            **asdict(budget),
            **describe_data(self.train, self.val, cfg.val_evaluator),
        }
