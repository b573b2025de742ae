"""One picture or one clip of demo data, from its seed to its files."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from .annotations import depth_to_millimetres, instance_records
from .captions import describe_thing, write_captions
from .clips import describe_clip, sample_clip
from .panoptic import panoptic_png
from .renderer import Labels, render_image, render_labels
from .sampler import sample_scene
from .scene import Scene
from .storage import (
    SPLITS,
    clip_paths,
    encode_jpeg,
    encode_json,
    encode_png,
    image_paths,
    write_bytes,
    write_indexed_png,
)


@dataclass(frozen=True)
class Job:
    """A picture or a clip to make.

    Args:
        root: Directory of the demo data.
        kind: 'training', 'validation' or 'clips'.
        index: Its number, from 0.
        seed: Seed of the directory.
        size: Width and height in pixels.
        frames: Frames of a clip.
        clutter: As in `sample_scene`.
    """

    root: str
    kind: str
    index: int
    seed: int
    size: int
    frames: int
    clutter: float = 1.0


def is_done(job: Job) -> bool:
    """Whether all the files of a job are there."""
    root = Path(job.root)
    if job.kind in SPLITS:
        return all(
            path.exists() for path in image_paths(root, job.kind, job.index).values()
        )
    paths = clip_paths(root, job.index, job.frames)
    return all(path.exists() for files in paths.values() for path in files)


def run_job(job: Job) -> None:
    """Make the files of a job; the same job makes the same bytes."""
    streams = (*SPLITS, 'clips')
    rng = np.random.default_rng([job.seed, streams.index(job.kind), job.index])
    threads = cv2.getNumThreads()
    cv2.setNumThreads(0)
    try:
        if job.kind in SPLITS:
            _make_image(job, rng)
        else:
            _make_clip(job, rng)
    finally:
        cv2.setNumThreads(threads)


def _make_image(job: Job, rng: np.random.Generator) -> None:
    paths = image_paths(Path(job.root), job.kind, job.index)
    scene, labels = sample_scene(rng, job.size, job.clutter)
    write_bytes(paths['image'], encode_jpeg(render_image(scene, job.size, rng)))
    write_bytes(paths['semantics'], encode_png(labels.semantics))
    write_bytes(paths['panoptic'], panoptic_png(labels))
    write_bytes(paths['depth'], encode_png(depth_to_millimetres(labels.depth)))
    write_bytes(
        paths['scene'],
        encode_json(
            {
                'instances': instance_records(scene, labels),
                'captions': write_captions(scene, labels, rng),
                'objects': _facts(scene, labels),
                'camera': {
                    'focal_pixels': round(scene.camera.focal * job.size, 3),
                    'position_metres': _rounded(scene.camera.position),
                    'rotation_rows_right_down_forward': _rounded(scene.camera.rotation),
                },
            }
        ),
    )


def _make_clip(job: Job, rng: np.random.Generator) -> None:
    paths = clip_paths(Path(job.root), job.index, job.frames)
    clip, captions = sample_clip(rng, job.size, job.frames, job.clutter)
    for scene, image, mask in zip(clip, paths['images'], paths['masks'], strict=True):
        write_bytes(image, encode_jpeg(render_image(scene, job.size, rng)))
        write_indexed_png(mask, render_labels(scene, job.size).instances)
    write_bytes(paths['scene'][0], encode_json(describe_clip(clip, captions)))


def _facts(scene: Scene, labels: Labels) -> list[dict[str, Any]]:
    """Describe the things, in the order of the instances, for whoever checks them."""
    depth = scene.camera.to_camera(np.stack([t.center for t in scene.things]))[:, 2]
    visible = labels.visible / labels.whole
    return [
        {
            'category': thing.name,
            'description': describe_thing(thing),
            'color': thing.material.color,
            'second_color': thing.material.second,
            'pattern': thing.material.pattern,
            'size_metres': round(thing.size, 4),
            'depth_metres': round(float(depth[k]), 4),
            'visible': round(float(visible[k]), 4),
        }
        for k, thing in enumerate(scene.things)
    ]


def _rounded(values: np.ndarray[Any, Any]) -> Any:
    return np.round(values, 6).tolist()
