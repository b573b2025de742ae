"""What a chain leaves: tables, curves over the seeds, and weights to keep."""

import json
from pathlib import Path
from typing import Any

from mmengine.config import Config

from pe_mm.checkpoints.writing import atomic_file
from pe_mm.cli.report import write_files
from pe_mm.installed import collect_versions
from pe_mm.probing.results import read_rows

from .claims import claims_table, join_seeds, stages_table
from .steps import (
    CONFIGS,
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

    Returns:
        The tables, as they are in ``claims.md``.
    """
    rows = read_rows(options.sweep / 'rows.jsonl')
    write_files(join_seeds(rows), options.sweep)
    stages = {
        title: [zero_shot_metrics(options, seed, stage) for seed in options.seeds]
        for title, stage in (('images', IMAGE), ('clips', VIDEO))
    }
    seeds = ', '.join(map(str, options.seeds))
    text = (
        f'Seeds {seeds}; mean ± standard deviation over them.\n\n'
        f'{claims_table(rows)}\n\n{stages_table(stages)}\n'
    )
    with atomic_file(options.work_dir / CLAIMS) as temporary:
        temporary.write_text(text)
    for stage, (name, prefix) in WEIGHTS.items():
        export_weights(
            trained(options.folder(options.seeds[0], stage)),
            options.work_dir / 'weights' / name,
            prefix=prefix,
            facts=training_facts(stage, options.seeds[0]),
        )
    return text


def training_facts(stage: str, seed: int) -> dict[str, Any]:
    """Return what the weights' card says of how they were made."""
    config = CONFIGS / f'{stage}.py'
    return {
        'config': config.relative_to(ROOT).as_posix(),
        'encoder': _encoder_of(config),
        'seed': seed,
        'scenes': SCENES,
        'versions': collect_versions(),
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
