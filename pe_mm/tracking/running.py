"""Tracking the clips of a data set, and judging them where they are annotated."""

from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pe_mm.engine.encoder_loading import LoadedEncoder

from .clip_tracking import LabelMap, encoded_size, lost_objects, track_clip
from .davis_dataset import Clip
from .davis_metric import ObjectFrames, SequenceScores
from .output import Scores, TrackFolder
from .protocols import Protocol


def track_and_score(
    loaded: LoadedEncoder,
    clip: Clip,
    protocol: Protocol,
    *,
    save: Callable[[int, int, LabelMap], None] = lambda layer, index, labels: None,
    on_frame: Callable[[], None] = lambda: None,
) -> dict[int, list[ObjectFrames]]:
    """Track the objects of a clip with every layer, in one pass over its frames.

    Args:
        loaded: The encoder; its ``out_indices`` are the layers.
        clip: The clip.
        protocol: The settings.
        save: Called with the layer, the index of the frame and its (H, W) object ids,
            for every frame, the first one included.
        on_frame: Called when a frame is finished.

    Returns:
        For each layer the scores of every object; without objects where too few frames
        are annotated for any to count.

    Raises:
        ValueError: A frame or mask cannot be read or has another size, or there is no
            object in the first mask.
    """
    layers = loaded.encoder.out_indices
    first = clip.read_first_mask()
    scores = {layer: SequenceScores(clip.name, first) for layer in layers}
    for layer in layers:
        save(layer, 0, first)
    on_frame()
    judged = set(clip.scored)
    frames = (clip.read_frame(index) for index in range(len(clip.frames)))
    tracked = track_clip(loaded, frames, first, protocol)
    for index, found in enumerate(tracked, start=1):
        truth = clip.read_mask(index) if index in judged else None
        for layer, labels in zip(layers, found, strict=True):
            save(layer, index, labels)
            if truth is not None:
                scores[layer].add(truth, labels)
        on_frame()
    return {layer: s.objects if judged else [] for layer, s in scores.items()}


def track_clips(
    loaded: LoadedEncoder,
    clips: Sequence[Clip],
    protocol: Protocol,
    folder: TrackFolder,
    on_progress: Callable[[int, int], None],
) -> dict[str, Scores]:
    """Track the clips that are not finished in a folder, and finish them.

    Args:
        loaded: The encoder.
        clips: The clips.
        protocol: The settings.
        folder: Where masks and scores are written; each clip's scores come last.
        on_progress: Called with the number of finished frames, and of all.

    Returns:
        The scores of every clip, also of those that were finished before.

    Raises:
        ValueError: As in ``track_and_score``; what is finished stays.
    """
    total, done = sum(len(clip.frames) for clip in clips), 0
    results: dict[str, Scores] = {}

    def count_frame() -> None:
        nonlocal done
        done += 1
        on_progress(done, total)

    for clip in clips:
        finished = folder.read_scores(clip)
        if finished is not None:
            results[clip.name] = finished
            done += len(clip.frames)
            on_progress(done, total)
            continue
        palette = clip.read_palette()

        def save(
            layer: int,
            index: int,
            ids: LabelMap,
            clip: Clip = clip,
            palette: list[int] = palette,
        ) -> None:
            folder.write_mask(layer, clip, index, ids, palette)

        scores = track_and_score(
            loaded, clip, protocol, save=save, on_frame=count_frame
        )
        folder.write_scores(clip, scores, encoded_size(loaded, clip.size, protocol))
        results[clip.name] = scores
    return results


def check_clips(
    loaded: LoadedEncoder, clips: Sequence[Clip], protocol: Protocol
) -> list[str]:
    """Read every first mask before the work begins.

    Returns:
        Warnings: of objects that are too small to be tracked.

    Raises:
        ValueError: A first mask cannot be read, has no object, or not its frame's size.
    """
    warnings = []
    for clip in clips:
        lost = lost_objects(loaded, clip.read_first_mask(), protocol)
        if lost:
            warnings.append(
                f'clip {clip.name}: lost at once, since no token of the first frame is '
                f'theirs: object {", ".join(map(str, lost))}; raise --resolution'
            )
    return warnings


def describe_run(
    loaded: LoadedEncoder, protocol: Protocol, root: Path
) -> dict[str, Any]:
    """Return what the masks depend on, as plain data."""
    return {
        'encoder': loaded.label,
        'variant': loaded.facts(),
        'weights_hash': loaded.weights_hash,
        'layers': list(loaded.encoder.out_indices),
        'protocol': asdict(protocol),
        'data': str(root.resolve()),
    }
