"""A nano chain's folder, made up."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from probing_rows import sweep_rows

from pe_mm import PerceptionEncoder
from pe_mm.nano.results import METRICS, WEIGHTS
from pe_mm.nano.steps import ENCODERS, IMAGE, VIDEO, ZERO_SHOT, ChainOptions, label
from pe_mm.probing.results import append_rows

TINY = dict(depth=2, width=32, heads=2, patch_size=8, image_size=32)


@pytest.fixture
def options(tmp_path):
    return ChainOptions(
        work_dir=tmp_path / 'nano',
        results=tmp_path / 'results',
        data=Path('data/nano'),
        sweep_data=Path('data/demo'),
        seeds=(0, 2),
        processes=2,
    )


def save_checkpoint(folder, prefix):
    """Leave the last checkpoint of a training."""
    folder.mkdir(parents=True, exist_ok=True)
    state = PerceptionEncoder(TINY).state_dict()
    content = {'meta': {}, 'message_hub': {}, 'optimizer': {}}
    content['state_dict'] = {f'{prefix}{name}': value for name, value in state.items()}
    torch.save(content, folder / 'epoch_2.pth')
    (folder / 'last_checkpoint').write_text(str(folder / 'epoch_2.pth'))


@pytest.fixture
def finished(options):
    """Return the options of a chain that has run."""
    for seed in options.seeds:
        save_checkpoint(options.folder(seed, IMAGE), 'image_encoder.')
        for stage in ENCODERS:
            prefix = WEIGHTS.get(stage, ('', 'backbone.'))[1]
            save_checkpoint(options.folder(seed, stage), prefix)
            rows = sweep_rows(label(stage, seed), 4, seeds=(seed,))
            rows = [replace(row, variant=stage) for row in rows]
            append_rows(options.rows, rows)
        for stage in (IMAGE, VIDEO):
            for number, name in enumerate(ZERO_SHOT):
                folder = options.folder(seed, stage) / name / '20260101_000000'
                folder.mkdir(parents=True)
                keys = list(METRICS.values())
                mine = keys[:1] if number == 0 else keys[2 * number - 1 :][:2]
                values = {key: 10.0 * keys.index(key) + seed for key in mine}
                (folder / '20260101_000000.json').write_text(json.dumps(values))
    return options
