"""A seeded model of each task, and what the code under test makes of its config."""

import pytest
import torch
from seeded_models import write_checkpoint, write_config

from pe_mm.engine import load_config
from pe_mm.prediction.loading import build_pipeline, load_model


@pytest.fixture(scope='session')
def seeded(tmp_path_factory):
    """Return the (config, checkpoint) files of a task."""
    folder = tmp_path_factory.mktemp('seeded')
    made = {}

    def get(task):
        if task not in made:
            config = write_config(task, folder)
            made[task] = config, write_checkpoint(config, folder / f'{task}.pth')
        return made[task]

    return get


@pytest.fixture
def loaded(seeded):
    """Return the (config, pipeline, model, meta) of a task."""

    def get(task, *options):
        config, checkpoint = seeded(task)
        cfg = load_config(config, options=options, launcher='none')
        pipeline = build_pipeline(cfg)
        model, meta = load_model(cfg, str(checkpoint), torch.device('cpu'))
        return cfg, pipeline, model, meta

    return get
