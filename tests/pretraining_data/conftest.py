"""Small images, clips and texts in folders and shards."""

import io
import json
import tarfile

import cv2
import numpy as np
import pytest
from pretraining_samples import encoded

from pe_mm.pretraining_data import SeededSampler


@pytest.fixture
def write_lines(tmp_path):
    """Write a jsonl file of some records; returns its name and its folder."""

    def write(*records, name='captions.jsonl'):
        lines = [x if isinstance(x, str) else json.dumps(x) for x in records]
        (tmp_path / name).write_text('\n'.join(lines) + '\n')
        return {'ann_file': name, 'data_root': str(tmp_path)}

    return write


@pytest.fixture
def write_image(tmp_path):
    """Write a plain image; returns its name below the folder."""

    def write(name, number=0, content=None, **options):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encoded(number, **options) if content is None else content)
        return name

    return write


@pytest.fixture
def write_video(tmp_path):
    """Write a video whose frames get brighter; returns its name."""

    def write(name, frames):
        codec = cv2.VideoWriter.fourcc(*'mp4v')
        writer = cv2.VideoWriter(str(tmp_path / name), codec, 8, (32, 32))
        assert writer.isOpened()
        for number in range(frames):
            writer.write(np.full((32, 32, 3), 10 * number, np.uint8))
        writer.release()
        return name

    return write


@pytest.fixture
def write_shard(tmp_path):
    """Write a tar file of given members; returns its path."""

    def write(name, members):
        with tarfile.open(tmp_path / name, 'w') as tar:
            for member, content in members.items():
                info = tarfile.TarInfo(member)
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))
        return str(tmp_path / name)

    return write


@pytest.fixture
def draw():
    """Take an epoch of a dataset, as one process does, or a worker of several."""

    def take(dataset, epoch=0, seed=0):
        sampler = SeededSampler(dataset, shuffle=True, seed=seed)
        sampler.set_epoch(epoch)
        return [dataset[index] for index in sampler]

    return take
