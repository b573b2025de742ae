"""Trainings of two processes, as users start them."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]

FSDP = (
    'runner_type=FlexibleRunner',
    'strategy.type=FSDPStrategy',
    'strategy.state_dict_cfg=full',
    'strategy.model_wrapper.auto_wrap_policy=pe_mm.wrap_blocks',
    'env_cfg.dist_cfg.backend=gloo',
)


def train_on_two_processes(
    config: Path, folder: Path, *options: str, resume: bool = False
) -> None:
    """Train a config under torchrun, which finds the modules of tests/assets."""
    command = [sys.executable, '-m', 'torch.distributed.run', '--standalone']
    # On a busy machine gloo has mixed up two of FSDP's collectives ("received data size
    # doesn't match", torch 2.13); torchrun's restart is what mends it for users too.
    command += ['--nproc-per-node', '2', '--max-restarts', '2', '-m', 'pe_mm', 'train']
    command += [str(config), '--work-dir', str(folder), *['--resume'] * resume]
    subprocess.run(
        # Where the mix-up leaves one process waiting, a minute ends it.
        [*command, '--cfg-options', 'env_cfg.dist_cfg.timeout=60', *options],
        env={
            **os.environ,
            'PYTHONPATH': os.pathsep.join([str(ROOT / 'tests' / 'assets'), str(ROOT)]),
            'CUDA_VISIBLE_DEVICES': '',
            'OMP_NUM_THREADS': '1',
        },
        check=True,
        timeout=300,
    )
