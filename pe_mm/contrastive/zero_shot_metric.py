"""Zero-shot classification: classes are told by their names alone."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from mmengine.evaluator import BaseMetric
from mmengine.hooks import Hook
from mmengine.registry import HOOKS, METRICS
from mmengine.runner import Runner
from torch import Tensor

from pe_mm.engine.unwrapping import unwrapped_model

if TYPE_CHECKING:
    from .image_text_model import ImageTextModel

IMAGENET_TEMPLATES = 'openai_imagenet'


@METRICS.register_module()
class ZeroShotMetric(BaseMetric):
    """Classify images or clips by the class whose prompts' embedding is nearest.

    A class's embedding is the mean of its prompts' normalised embeddings, normalised
    (CLIP, arXiv 2103.00020, section 3.1.4; computed by open_clip). It needs
    ``custom_hooks=[dict(type='pe_mm.ZeroShotHook')]``, which has the model embed the
    prompts before a validation or test.

    The class of a data sample is its ``label``, a number, or where it has none the
    first folder of its ``sample_id``.

    Args:
        class_names: Names in the order of the labels, or {folder: name}; or the path of
            a JSON file with either.
        templates: Prompts with ``{}`` for the class's name, or 'openai_imagenet' for
            the 80 of OpenAI.
        topk: Numbers of guesses.
        collect_device: As in mmengine: where results are collected.
        prefix: Of the metrics' names; None for 'zero_shot'.

    Raises:
        ValueError: There are no classes or templates, a template has no ``{}``, or
            there are fewer classes than guesses.
    """

    default_prefix = 'zero_shot'

    def __init__(
        self,
        class_names: Sequence[str] | Mapping[str, str] | str,
        templates: Sequence[str] | str = ('a photo of a {}.',),
        topk: Sequence[int] = (1, 5),
        collect_device: str = 'cpu',
        prefix: str | None = None,
    ) -> None:
        super().__init__(collect_device, prefix)
        if isinstance(class_names, str):
            class_names = json.loads(Path(class_names).read_text(encoding='utf-8'))
        folders = list(class_names)
        self.class_names = (
            list(class_names.values()) if isinstance(class_names, Mapping) else folders
        )
        self._labels = {folder: label for label, folder in enumerate(folders)}
        self.templates = templates
        if templates != IMAGENET_TEMPLATES and (
            isinstance(templates, str)
            or not templates
            or not all('{}' in template for template in templates)
        ):
            raise ValueError(
                "templates must be a list of texts with '{}' for the class, or "
                f'{IMAGENET_TEMPLATES!r}; got {templates!r}'
            )
        if not topk or not 1 <= min(topk) <= max(topk) <= len(folders):
            raise ValueError(
                f'topk must be from 1 to the number of classes, {len(folders)}; got '
                f'{tuple(topk)}'
            )
        self.topk = tuple(topk)
        self._classifier: Tensor | None = None

    def embed_classes(self, model: 'ImageTextModel') -> None:
        """Embed the classes' prompts with the model's present weights."""
        from open_clip import OPENAI_IMAGENET_TEMPLATES, build_zero_shot_classifier

        templates = self.templates
        if templates == IMAGENET_TEMPLATES:
            templates = OPENAI_IMAGENET_TEMPLATES
        self._classifier = build_zero_shot_classifier(
            model, model.tokenizer, self.class_names, list(templates)
        )

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Rank the classes for each sample.

        Args:
            data_batch: Not used.
            data_samples: With ``visual_feature``, as the model predicts.

        Raises:
            ValueError: The classes are not embedded, or a sample's is unknown.
        """
        if self._classifier is None:
            raise ValueError(
                'the classes are not embedded: add '
                "custom_hooks=[dict(type='pe_mm.ZeroShotHook')] to the config"
            )
        for sample in data_samples:
            feature = sample['visual_feature'].float()
            scores = feature @ self._classifier.to(feature.device).float()
            guesses = scores.topk(max(self.topk)).indices.tolist()
            label = self._label(sample)
            self.results.append([label in guesses[:k] for k in self.topk])

    def _label(self, sample: Mapping[str, Any]) -> int:
        label = sample.get('label')
        if label is None:
            folder = str(sample.get('sample_id')).split('/')[0]
            if folder not in self._labels:
                raise ValueError(
                    f'sample {sample.get("sample_id")!r} has no label, and its folder '
                    f'{folder!r} is none of the class_names, {list(self._labels)[:5]}'
                )
            return self._labels[folder]
        if not 0 <= int(label) < len(self.class_names):
            raise ValueError(
                f'sample {sample.get("sample_id")!r} has label {label}; there are '
                f'{len(self.class_names)} class_names'
            )
        return int(label)

    def compute_metrics(self, results: list) -> dict[str, float]:
        """Return the accuracies in percent: ``top1`` and so on."""
        means = 100 * np.mean(results, axis=0)
        return {f'top{k}': float(v) for k, v in zip(self.topk, means, strict=True)}


@HOOKS.register_module()
class ZeroShotHook(Hook):
    """Have the model embed the classes of every ``ZeroShotMetric`` before it counts."""

    def before_val_epoch(self, runner: Runner) -> None:
        """Embed the classes of the validation's metrics."""
        _embed_classes(runner, runner.val_loop.evaluator.metrics)

    def before_test_epoch(self, runner: Runner) -> None:
        """Embed the classes of the test's metrics."""
        _embed_classes(runner, runner.test_loop.evaluator.metrics)


def _embed_classes(runner: Runner, metrics: Sequence[BaseMetric]) -> None:
    model = unwrapped_model(runner)
    for metric in metrics:
        if isinstance(metric, ZeroShotMetric):
            metric.embed_classes(model)
