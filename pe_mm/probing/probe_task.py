"""What a task must bring so that one pass can probe every layer of an encoder."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from torch import Tensor, nn

from .encoder import FrozenEncoder

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Budget:
    """How long a probe is trained: AdamW, warm-up over a tenth, then a cosine to 0.

    Attributes:
        iterations: Steps of the optimizer; None for one pass over the images in order,
            for probes that only collect.
        batch_size: Images per step.
        learning_rate: The highest of the schedule.
        weight_decay: AdamW's.
        max_norm: Gradients are clipped to this norm, per probe.
    """

    iterations: int | None
    batch_size: int = 16
    learning_rate: float = 1e-3
    weight_decay: float = 1e-3
    max_norm: float = 35.0


@dataclass(frozen=True)
class Sample:
    """One image and what is known about it.

    Attributes:
        index: Its number among the images of the split.
        image: (3, S, S), RGB, 0-255.
        truth: What its data set gives: a data sample of mmseg or mmdet, or a class id.
    """

    index: int
    image: Tensor
    truth: Any


class ProbeImages(Protocol):
    """The images of a split, all resized to one square."""

    def __len__(self) -> int:
        """Count the images."""

    def __getitem__(self, index: int) -> Sample:
        """Load one image and what is known about it."""

    def identity(self) -> str:
        """Return a hash of the files' names and sizes, and of how they are read."""

    def fingerprint(self) -> str:
        """Return a hash of the identity, the files' dates, and the square's side."""


class ProbeMetric(Protocol):
    """Collects one probe's predictions on held-out images."""

    def add(
        self, probe: nn.Module, features: Tensor, samples: Sequence[Sample]
    ) -> None:
        """Predict from (B, C, h, w) features, and keep what the number needs."""

    def compute(self) -> float:
        """Return the number of all images that were added."""


class Task(Protocol):
    """What every task is called and measured in.

    Attributes:
        name: Of the task, as on the command line.
        metric: Name of its number.
        higher_is_better: Direction of the number.
        is_random: Whether seeds matter.
        config: Where its data comes from.
        resolution: (height, width) of the images, in pixels.
        protocol: Name -> value of all else that fixes the number.
    """

    name: str
    metric: str
    higher_is_better: bool
    is_random: bool
    config: str
    resolution: tuple[int, int]
    protocol: Mapping[str, Any]


class ProbeTask(Task, Protocol):
    """A task on single images, with a light probe per layer.

    Attributes:
        scope: OpenMMLab package whose names its configs use.
        train: Images to learn from.
        val: Images to measure on.
        budget: Of the training.
    """

    scope: str
    train: ProbeImages
    val: ProbeImages
    budget: Budget

    def encode_truth(self, sample: Sample) -> dict[str, Tensor]:
        """Return what the loss needs as tensors, of one shape for all images."""

    def build_probe(self, channels: int) -> nn.Module:
        """Build a probe of (B, channels, h, w) features."""

    def loss(
        self, probe: nn.Module, features: Tensor, truths: Mapping[str, Tensor]
    ) -> Tensor | None:
        """Return a probe's loss on a batch; None for what only collects.

        Args:
            probe: From ``build_probe``, in training mode.
            features: (B, C, h, w), float32.
            truths: As ``encode_truth`` gives them, stacked, and 'index', (B,).
        """

    def build_metric(self) -> ProbeMetric:
        """Return an empty metric."""


@runtime_checkable
class ZeroShotTask(Task, Protocol):
    """A task that trains nothing."""

    def measure(
        self, encoder: FrozenEncoder, layers: Sequence[int], on_progress: Progress
    ) -> dict[int, float]:
        """Return layer -> number, all layers from the same forward passes.

        Args:
            encoder: Of these layers and maybe others.
            layers: Those to measure.
            on_progress: Called with what is done, and all.
        """
