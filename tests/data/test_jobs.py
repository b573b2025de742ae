"""A job makes its files from its own seed alone."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from pe_mm.data.jobs import Job, is_done, run_job
from pe_mm.data.storage import image_paths


@pytest.fixture
def job(tmp_path: Path) -> Job:
    return Job(str(tmp_path), 'training', 7, seed=3, size=96, frames=2)


def contents(root: str | Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(root)): path.read_bytes()
        for path in Path(root).rglob('*')
        if path.is_file()
    }


def test_run_job__picture__makes_five_files_of_the_right_kinds(job: Job) -> None:
    assert not is_done(job)

    run_job(job)

    assert is_done(job)
    paths = image_paths(Path(job.root), 'training', 7)
    assert sorted(contents(job.root)) == sorted(
        str(path.relative_to(job.root)) for path in paths.values()
    )
    image, semantics, panoptic, depth = (
        cv2.imread(str(paths[kind]), cv2.IMREAD_UNCHANGED)
        for kind in ('image', 'semantics', 'panoptic', 'depth')
    )
    assert (image.shape, image.dtype) == ((96, 96, 3), np.uint8)
    assert (semantics.shape, semantics.dtype) == ((96, 96), np.uint8)
    assert (panoptic.shape, panoptic.dtype) == ((96, 96, 3), np.uint8)
    assert (depth.shape, depth.dtype) == ((96, 96), np.uint16)
    assert 500 < depth.min() < depth.max() < 30_000


def test_run_job__elsewhere__gives_the_same_bytes(job: Job, tmp_path: Path) -> None:
    run_job(job)
    run_job(replace(job, root=str(tmp_path / 'other')))

    other = contents(tmp_path / 'other')

    assert other == {k: v for k, v in contents(job.root).items() if k in other}
    assert len(other) == 5


@pytest.mark.parametrize('change', [{'seed': 4}, {'index': 8}, {'kind': 'validation'}])
def test_run_job__other_seed_split_or_number__is_another_scene(
    job: Job, tmp_path: Path, change: dict[str, int | str]
) -> None:
    other = replace(job, root=str(tmp_path / 'other'), **change)
    run_job(job)
    run_job(other)

    first = image_paths(Path(job.root), job.kind, job.index)['image']
    second = image_paths(Path(other.root), other.kind, other.index)['image']

    assert first.read_bytes() != second.read_bytes()


def test_is_done__one_file_missing__is_not(job: Job) -> None:
    run_job(job)
    image_paths(Path(job.root), 'training', 7)['depth'].unlink()

    assert not is_done(job)


def test_run_job__clip__has_a_picture_and_a_mask_per_frame(job: Job) -> None:
    clip = replace(job, kind='clips', index=0)

    run_job(clip)

    assert is_done(clip)
    assert not is_done(replace(clip, frames=3))
    assert len(contents(job.root)) == 2 * 2 + 1


def test_run_job__threads_of_opencv__are_left_as_they_were(job: Job) -> None:
    before = cv2.getNumThreads()

    run_job(job)

    assert cv2.getNumThreads() == before
