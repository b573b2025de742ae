"""A nano chain's folder, made up."""

import json
from pathlib import Path

import pytest
from nano_chains import train_and_sweep

from pe_mm.nano.results import METRICS
from pe_mm.nano.steps import IMAGE, VIDEO, ZERO_SHOT, ChainOptions


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


@pytest.fixture
def finished(options):
    """Return the options of a chain that has run."""
    for seed in options.seeds:
        train_and_sweep(options, seed)
        for stage in (IMAGE, VIDEO):
            for number, name in enumerate(ZERO_SHOT):
                folder = options.folder(seed, stage) / name / '20260101_000000'
                folder.mkdir(parents=True)
                keys = list(METRICS.values())
                mine = keys[:1] if number == 0 else keys[2 * number - 1 :][:2]
                values = {key: 10.0 * keys.index(key) + seed for key in mine}
                (folder / '20260101_000000.json').write_text(json.dumps(values))
    return options
