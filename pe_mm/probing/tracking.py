"""Tracking by the features of one layer, without any training."""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from pe_mm.tracking.davis_dataset import DavisDataset
from pe_mm.tracking.davis_metric import ObjectFrames, Summary
from pe_mm.tracking.protocols import make_protocol
from pe_mm.tracking.running import track_and_score

from .data_facts import digest, sizes
from .encoder import FrozenEncoder
from .probe_task import Progress


class TrackingTask:
    """Carry the objects of first frames through clips; J&F in percent.

    The settings are ``pe_mm.tracking``'s 'pe': frames become squares, labels come from
    the first frame and the last 7.

    Args:
        root: DAVIS-2017, or demo data.
        config: What rows call it.
        side: Of the square frames, in pixels.

    Raises:
        FileNotFoundError: The clips are not there, or one misses frames.
        ValueError: There are no clips, a first mask cannot be used, or no clip has the
            three annotated frames that scores need.
    """

    name = 'tracking'
    metric = 'J&F'
    higher_is_better = True
    is_random = False

    def __init__(self, root: Path, *, config: str, side: int) -> None:
        data = DavisDataset(root)
        self._clips = [data.clip(name) for name in data.names]
        for clip in self._clips:
            clip.read_first_mask()
        if not any(clip.scored for clip in self._clips):
            raise ValueError(
                f'no clip of {root} can be scored: one needs masks of three frames at '
                'least, since the first and the last do not count'
            )
        self._settings = make_protocol('pe', side=side)
        self.config = config
        self.resolution = (side, side)
        # The side is the resolution, which differs between patch sizes.
        settings = {k: v for k, v in asdict(self._settings).items() if k != 'side'}
        files = [
            path for clip in self._clips for path in (*clip.frames, *clip.masks) if path
        ]
        self.protocol: Mapping[str, Any] = {
            **settings,
            'clips': len(self._clips),
            'data': digest(sizes(files, data.root))[:12],
        }

    def measure(
        self, encoder: FrozenEncoder, layers: Sequence[int], on_progress: Progress
    ) -> dict[int, float]:
        """Track with every layer, from the same forward passes."""
        module = copy.copy(encoder.module)
        module.out_indices = tuple(layers)
        loaded = replace(encoder.loaded, encoder=module)
        objects: dict[int, list[ObjectFrames]] = {layer: [] for layer in layers}
        total = sum(len(clip.frames) for clip in self._clips)
        done = 0

        def count_frame() -> None:
            nonlocal done
            done += 1
            on_progress(done, total)

        for clip in self._clips:
            found = track_and_score(loaded, clip, self._settings, on_frame=count_frame)
            for layer, scores in found.items():
                objects[layer] += scores
        return {
            layer: 100 * Summary.of(scores).j_and_f for layer, scores in objects.items()
        }
