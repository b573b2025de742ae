"""What trainings and sweeps of a nano chain leave, made up."""

from dataclasses import replace

import torch
from probing_rows import sweep_rows

from pe_mm import PerceptionEncoder
from pe_mm.engine.run_report import file_sha256
from pe_mm.nano.chain import DONE
from pe_mm.nano.results import WEIGHTS
from pe_mm.nano.steps import ENCODERS, IMAGE, label
from pe_mm.probing.results import append_rows

TINY = dict(depth=2, width=32, heads=2, patch_size=8, image_size=32)


def save_checkpoint(folder, prefix):
    """Leave the last checkpoint of a training; returns its path."""
    folder.mkdir(parents=True, exist_ok=True)
    state = PerceptionEncoder(TINY).state_dict()
    content = {'meta': {}, 'message_hub': {}, 'optimizer': {}}
    content['state_dict'] = {f'{prefix}{name}': value for name, value in state.items()}
    torch.save(content, folder / 'epoch_2.pth')
    (folder / 'last_checkpoint').write_text(str(folder / 'epoch_2.pth'))
    (folder / DONE).write_text('{"versions": {"torch": "2"}, "device": "a GPU"}')
    return folder / 'epoch_2.pth'


def train_and_sweep(options, seed):
    """Leave the trainings of a seed, and the rows of their sweeps."""
    save_checkpoint(options.folder(seed, IMAGE), 'image_encoder.')
    for stage in ENCODERS:
        prefix = WEIGHTS.get(stage, ('', 'backbone.'))[1]
        digest = file_sha256(save_checkpoint(options.folder(seed, stage), prefix))
        rows = sweep_rows(label(stage, seed), 4, seeds=(seed,))
        rows = [replace(row, variant=stage, weights=digest) for row in rows]
        append_rows(options.rows, rows)
