"""Retrieval: how often the right text, image or clip is among the nearest."""

from collections.abc import Sequence
from typing import Any

import torch
from mmengine.evaluator import BaseMetric
from mmengine.registry import METRICS
from torch import Tensor

# Rows of the similarity matrix at a time: 5,000 images have 25,000 texts.
_ROWS = 1000


@METRICS.register_module()
class RetrievalMetric(BaseMetric):
    """Recall among the k nearest, from images or clips to texts and back.

    An image is found if any of its texts is among the k nearest to it, a text if its
    image is (Karpathy and Fei-Fei, arXiv 1412.2306, as all CLIP papers count).
    Samples with one ``sample_id`` are one image; each may have several captions.

    Args:
        recalls: The ks.
        visual: 'image' or 'video': what the metrics' names say, such as
            ``text_to_video_R@1``.
        collect_device: As in mmengine: where results are collected.
        prefix: Of the metrics' names; None for 'retrieval'.

    Raises:
        ValueError: A k is not positive, or ``visual`` is neither.
    """

    default_prefix = 'retrieval'

    def __init__(
        self,
        recalls: Sequence[int] = (1, 5, 10),
        visual: str = 'image',
        collect_device: str = 'cpu',
        prefix: str | None = None,
    ) -> None:
        super().__init__(collect_device, prefix)
        if not recalls or min(recalls) < 1:
            raise ValueError(f'recalls must be positive numbers, got {recalls!r}')
        if visual not in ('image', 'video'):
            raise ValueError(f"visual must be 'image' or 'video', got {visual!r}")
        self.recalls = tuple(recalls)
        self.visual = visual

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Keep the features.

        Args:
            data_batch: Not used.
            data_samples: With ``sample_id``, ``visual_feature`` and ``text_features``,
                as the model predicts.

        Raises:
            ValueError: A sample has no caption.
        """
        for sample in data_samples:
            if 'text_features' not in sample:
                raise ValueError(
                    f'sample {sample.get("sample_id")!r} has no caption, which '
                    'retrieval needs of every sample'
                )
            features = (sample['visual_feature'], sample['text_features'])
            self.results.append(
                (sample['sample_id'], *(f.float().cpu() for f in features))
            )

    def compute_metrics(self, results: list) -> dict[str, float]:
        """Return the recalls in percent, in both directions."""
        numbers: dict[str, int] = {}
        visual, texts, owners = [], [], []
        for sample_id, feature, text in results:
            if sample_id not in numbers:
                numbers[sample_id] = len(numbers)
                visual.append(feature)
            texts.append(text)
            owners += [numbers[sample_id]] * len(text)
        images, captions = torch.stack(visual), torch.cat(texts)
        of_text = torch.tensor(owners)
        of_image = torch.arange(len(images))
        directions = {
            f'{self.visual}_to_text': (images, captions, of_image, of_text),
            f'text_to_{self.visual}': (captions, images, of_text, of_image),
        }
        return {
            f'{direction}_R@{k}': recall
            for direction, arguments in directions.items()
            for k, recall in zip(
                self.recalls, _recalls(*arguments, self.recalls), strict=True
            )
        }


def _recalls(
    queries: Tensor,
    candidates: Tensor,
    owner_of_query: Tensor,
    owner_of_candidate: Tensor,
    recalls: Sequence[int],
) -> list[float]:
    """Return the share of queries with a candidate of their owner among the k nearest.

    Args:
        queries: (N, D).
        candidates: (M, D).
        owner_of_query: (N,).
        owner_of_candidate: (M,).
        recalls: The ks.

    Returns:
        In percent, one for each k.
    """
    hits = []
    for rows, owners in zip(
        queries.split(_ROWS), owner_of_query.split(_ROWS), strict=True
    ):
        nearest = (rows @ candidates.T).topk(min(max(recalls), len(candidates))).indices
        hits.append(owner_of_candidate[nearest] == owners[:, None])
    found = torch.cat(hits)
    return [100 * found[:, :k].any(1).double().mean().item() for k in recalls]
