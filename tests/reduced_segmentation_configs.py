"""Segmentation configs cut down to what two cores train in seconds, structure kept.

Only numbers shrink, as in ``reduced_configs``; data are made up, in the real layouts.
"""

from pathlib import Path
from typing import Any

from mmengine.config import Config, ConfigDict
from reduced_configs import LIMITS, SHRINK, WIDTH, dicts, reduce_backbone
from segmentation_data import WRITERS


def reduce_config(cfg: Config, folder: Path) -> Config:
    """Return a config of configs/segmentation that trains a step and tests two images.

    Args:
        cfg: The config; is left as it is.
        folder: Where the data, logs and the checkpoint go.
    """
    cfg = Config(cfg.to_dict())
    divisor = reduce_model(cfg.model)
    for split in ('train', 'test'):
        loader = cfg[f'{split}_dataloader']
        loader.update(num_workers=0, persistent_workers=False)
        for part in dicts(loader.dataset):
            if part.get('type') in WRITERS:
                part.data_root = str(folder / 'data')
                WRITERS[part.type](folder / 'data')
            if 'scale' in part:
                part.scale = tuple(pixels // SHRINK for pixels in part.scale)
            if 'crop_size' in part:
                part.crop_size = _shrunk(part.crop_size, divisor)
    cfg.train_dataloader.batch_size = 2
    cfg.val_dataloader = cfg.val_evaluator = cfg.val_cfg = None
    cfg.train_cfg.max_iters = 1
    # It needs a GPU.
    if cfg.optim_wrapper.type == 'AmpOptimWrapper':
        cfg.optim_wrapper.type = 'OptimWrapper'
        cfg.optim_wrapper.pop('dtype')
    cfg.work_dir = str(folder / 'work')
    return cfg


def reduce_model(model: ConfigDict) -> int:
    """Cut a segmentor down in place; its classes stay.

    Returns:
        What its crops are a multiple of.
    """
    real = reduce_backbone(model.backbone)
    width = real.width
    divisor = model.backbone.get('patch_size') or real.patch_size
    if model.decode_head.type != 'pe_mm.LinearSegmentationHead':
        divisor *= 2  # There is a level of half the encoder's resolution.
    preprocessor = model.data_preprocessor
    preprocessor.size = _shrunk(preprocessor.size, divisor)
    if model.test_cfg.mode == 'slide':
        preprocessor.test_cfg.size = preprocessor.size
        model.test_cfg.crop_size = preprocessor.size
        model.test_cfg.stride = [pixels // SHRINK for pixels in model.test_cfg.stride]
    # One step may drop a block, and leave it without gradient.
    model.backbone.drop_path_rate = 0.0
    pyramid = 'neck' in model and model.neck.get('out_channels') is None
    parts = [
        model[key] for key in ('neck', 'decode_head', 'auxiliary_head') if key in model
    ]
    for part in parts:
        channels = part.in_channels
        if pyramid or channels == width:
            part.in_channels = _scaled(channels, width)
    if model.get('neck', {}).get('type') == 'pe_mm.LayerMix':
        model.neck.in_channels = [WIDTH] * len(model.backbone.out_indices)
    for part in dicts(parts):
        for key, value in part.items():
            if key in LIMITS and isinstance(value, int):
                part[key] = min(value, LIMITS[key])
            elif key == 'num_layers':
                part[key] = min(value, 2)
    return divisor


def _scaled(channels: Any, width: int) -> Any:
    """Scale channels that are the encoder's, or a half or a quarter of them."""
    if isinstance(channels, (list, tuple)):
        return [_scaled(one, width) for one in channels]
    return channels * WIDTH // width


def _shrunk(size: tuple[int, int], divisor: int) -> tuple[int, ...]:
    return tuple(pixels // SHRINK // divisor * divisor for pixels in size)
