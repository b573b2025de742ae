"""Small models of every task with seeded weights, and images for them."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from mmengine.config import Config
from mmengine.registry import MODELS, init_default_scope
from mmengine.runner import save_checkpoint

ASSETS = Path(__file__).parent / 'assets'
CONFIGS = Path(__file__).parents[1] / 'configs'

TASKS = ('detection', 'panoptic', 'segmentation', 'depth')
NUM_STUFF = 3
_PANOPTIC = f"""
_base_ = [
    {str(CONFIGS / '_base_/models/mask2former_pe_nano.py')!r},
    {str(CONFIGS / '_base_/datasets/demo_panoptic.py')!r},
    {str(CONFIGS / '_base_/default_runtime.py')!r},
]
model = dict(
    panoptic_head=dict(
        num_stuff_classes={NUM_STUFF},
        loss_cls=dict(class_weight=[1.0] * 15 + [0.1]),
    ),
    panoptic_fusion_head=dict(num_stuff_classes={NUM_STUFF}),
    # Weights that nobody trained are never sure.
    test_cfg=dict(panoptic_on=True, object_mask_thr=0.0, iou_thr=0.0),
)
"""
_DEPTH = f"""
_base_ = [
    {str(CONFIGS / '_base_/models/linear_depth_pe_nano.py')!r},
    {str(CONFIGS / '_base_/datasets/demo_depth.py')!r},
    {str(CONFIGS / '_base_/seg_runtime.py')!r},
]
"""


def write_config(task: str, folder: Path) -> Path:
    """Write the config of one of ``TASKS``; nothing of its data exists."""
    path = folder / f'{task}_config.py'
    if task == 'detection':
        path = CONFIGS / 'demo' / 'mask_rcnn_pe_nano.py'
    elif task == 'panoptic':
        path.write_text(_PANOPTIC)
    elif task == 'segmentation':
        template = (ASSETS / 'mmseg_config.py').read_text()
        path.write_text(template.replace('ROOT', 'data/missing'))
    else:
        path.write_text(_DEPTH)
    return path


def write_checkpoint(
    config: Path, path: Path, meta: dict[str, Any] | None = None
) -> Path:
    """Save a model with seeded weights as mmengine's runner does."""
    cfg = Config.fromfile(config)
    init_default_scope(cfg.default_scope)
    torch.manual_seed(0)
    model = MODELS.build(cfg.model)
    for name, tensor in model.state_dict().items():
        # Larger than weights usually begin with, so that images differ in what is seen.
        if name.endswith('weight') and tensor.ndim > 1:
            tensor.normal_(std=tensor[0].numel() ** -0.5)
    save_checkpoint({'state_dict': model.state_dict(), 'meta': meta or {}}, str(path))
    return path


def write_image(
    path: Path, shape: tuple[int, ...] = (60, 84, 3), seed: int = 0
) -> Path:
    """Write an image of smooth colours; 8 bits, or 16 for a .png of one channel."""
    path.parent.mkdir(parents=True, exist_ok=True)
    values = np.random.default_rng(seed).random((4, 5, *shape[2:]))
    image = cv2.resize(values, shape[1::-1], interpolation=cv2.INTER_LINEAR)
    cv2.imwrite(str(path), (255 * image).astype(np.uint8))
    return path
