"""What a chain leaves: tables, curves over the seeds, and weights to keep."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from mmengine.config import Config

from pe_mm.checkpoints.writing import atomic_file
from pe_mm.cli.report import write_files
from pe_mm.engine.run_report import file_sha256
from pe_mm.probing.results import ResultRow, read_rows

from .chain import DONE
from .claims import claims_table, join_seeds, stages_table
from .steps import (
    CONFIGS,
    ENCODERS,
    IMAGE,
    ROOT,
    SCENES,
    STUDENT,
    VIDEO,
    ZERO_SHOT,
    ChainOptions,
    trained,
)
from .weights import export_weights

CLAIMS = 'claims.md'
STAGES = 'stages.json'
WEIGHTS_KEY = 'weights'
# Rows of the table of stages, and the training after which they are measured.
MEASURED_AFTER = {'images': IMAGE, 'clips': VIDEO}
# Metrics of the zero-shot tests: title -> name in the log.
METRICS = {
    'top-1 of 12 shapes': 'zero_shot/top1',
    'image to text R@1': 'retrieval/image_to_text_R@1',
    'text to image R@1': 'retrieval/text_to_image_R@1',
    'clip to text R@1': 'retrieval/video_to_text_R@1',
    'text to clip R@1': 'retrieval/text_to_video_R@1',
}
# Training -> its encoder's file, and what its names start with in checkpoints.
WEIGHTS = {
    VIDEO: ('pe_nano_core.safetensors', 'image_encoder.'),
    'align_both': ('pe_nano_spatial.safetensors', 'backbone.'),
    STUDENT: ('pe_nano_spatial_student.safetensors', 'backbone.'),
}


def write_results(options: ChainOptions) -> str:
    """Write everything that is drawn from a finished chain.

    Tables and curves are of all seeds in the folder of results, those of earlier chains
    included; the weights are of this chain's first seed.

    Returns:
        The tables, as they are in ``claims.md``.

    Raises:
        ValueError: The folder of results lacks rows of this chain's sweeps, or has rows
            that cannot be compared. Nothing is written then.
    """
    seeds = _measured_seeds(options)
    found = read_rows(options.rows) if options.rows.is_file() else []
    # A seed that has not ended, or was trained again, has rows of other weights.
    ended = {digest for seed in seeds.values() for digest in seed[WEIGHTS_KEY].values()}
    rows = join_seeds(row for row in found if row.weights in ended)
    _check_complete(rows, options)
    stages = {
        title: [seed[title] for seed in seeds.values()] for title in MEASURED_AFTER
    }
    # Refuses rows that do not belong in one table, before anything is written.
    tables = f'{claims_table(rows)}\n\n{stages_table(stages)}\n'
    text = f'Seeds {", ".join(seeds)}; mean ± standard deviation over them.\n\n{tables}'
    with atomic_file(options.results / STAGES) as temporary:
        temporary.write_text(json.dumps(seeds, indent=2) + '\n')
    write_files(rows, options.results)
    with atomic_file(options.results / CLAIMS) as temporary:
        temporary.write_text(text)
    for stage, (name, prefix) in WEIGHTS.items():
        export_weights(
            trained(options.folder(options.seeds[0], stage)),
            options.work_dir / 'weights' / name,
            prefix=prefix,
            facts=training_facts(options, stage, options.seeds[0]),
        )
    return text


def _check_complete(rows: Iterable[ResultRow], options: ChainOptions) -> None:
    """Refuse results that an earlier chain has left in another folder."""
    found = {(row.encoder, row.seed) for row in rows}
    missing = [
        (seed, stage)
        for seed in options.seeds
        for stage, encoder in ENCODERS.items()
        if (encoder, seed) not in found
    ]
    if missing:
        encoders = '; '.join(
            f'{ENCODERS[stage]}, seed {seed}' for seed, stage in missing
        )
        sweeps = ' '.join(
            str(options.folder(seed, stage) / 'sweep') for seed, stage in missing
        )
        raise ValueError(
            f'{options.rows} has no rows of weights that were measured before: '
            f'{encoders}; give the --results of then, or delete these folders and '
            f'start again: {sweeps}'
        )


def _measured_seeds(options: ChainOptions) -> dict[str, dict[str, dict[str, Any]]]:
    """Join this chain's zero-shot scores with those in the folder of results.

    Returns:
        Seed -> stage -> title of a metric -> value, in the order of the seeds, and
        under ``WEIGHTS_KEY`` the SHA-256 of what each training ended with.
    """
    path = options.results / STAGES
    seeds = json.loads(path.read_text()) if path.is_file() else {}
    for seed in options.seeds:
        digests = {
            stage: file_sha256(trained(options.folder(seed, stage)))
            for stage in ENCODERS
        }
        seeds[str(seed)] = {
            WEIGHTS_KEY: digests,
            **{
                title: zero_shot_metrics(options, seed, stage)
                for title, stage in MEASURED_AFTER.items()
            },
        }
    return {seed: seeds[seed] for seed in sorted(seeds, key=int)}


def training_facts(options: ChainOptions, stage: str, seed: int) -> dict[str, Any]:
    """Return what the weights' card says of how they were made.

    Versions and device are those with which the training ended, left out where its
    ``done.json`` does not tell them.
    """
    config = CONFIGS / f'{stage}.py'
    done = json.loads((options.folder(seed, stage) / DONE).read_text())
    return {
        'config': config.relative_to(ROOT).as_posix(),
        'encoder': _encoder_of(config),
        'seed': seed,
        'scenes': SCENES,
        **{key: done[key] for key in ('versions', 'device') if key in done},
    }


def _encoder_of(config: Path) -> dict[str, Any]:
    model = Config.fromfile(config).model
    encoder = model.get('backbone') or model.image_encoder
    variant: dict[str, Any] = encoder.variant.to_dict()
    return variant


def zero_shot_metrics(options: ChainOptions, seed: int, stage: str) -> dict[str, float]:
    """Read what the tests of a stage logged, by the titles of ``METRICS``."""
    found: dict[str, float] = {}
    for name in ZERO_SHOT:
        folder = options.folder(seed, stage) / name
        logs = sorted(folder.glob('*/*.json'))
        found |= json.loads(logs[-1].read_text())
    return {title: found[key] for title, key in METRICS.items()}
