"""From a config to a training that survives being killed."""

from .autocast_hook import AutocastHook
from .configuring import check_data, check_stack, load_config
from .finite_loss_hook import FiniteLossHook, NonFiniteLossError
from .fp16_gradients_hook import Fp16GradientsHook
from .fsdp_policy import wrap_blocks
from .launching import build_runner, enable_amp, save_checkpoints_safely
from .layer_decay_constructor import LayerDecayOptimWrapperConstructor
from .muon_constructor import MuonOptimWrapperConstructor
from .resuming import (
    find_resumable_checkpoint,
    read_checkpoint_file,
    read_training_checkpoint,
)
from .safe_checkpoint_hook import SafeCheckpointHook
from .seeded_steps_hook import SeededStepsHook
from .skipped_samples_hook import SkippedSamplesHook

__all__ = [
    'AutocastHook',
    'FiniteLossHook',
    'Fp16GradientsHook',
    'LayerDecayOptimWrapperConstructor',
    'MuonOptimWrapperConstructor',
    'NonFiniteLossError',
    'SafeCheckpointHook',
    'SeededStepsHook',
    'SkippedSamplesHook',
    'build_runner',
    'check_data',
    'check_stack',
    'enable_amp',
    'find_resumable_checkpoint',
    'load_config',
    'read_checkpoint_file',
    'read_training_checkpoint',
    'save_checkpoints_safely',
    'wrap_blocks',
]
