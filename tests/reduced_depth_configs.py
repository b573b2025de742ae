"""Depth configs cut down to what two cores train in seconds, structure kept.

Only numbers shrink, as in ``reduced_configs``; data are made up, in the real layouts.
"""

from pathlib import Path

from depth_data import WRITERS
from mmengine.config import Config, ConfigDict
from reduced_configs import WIDTH, dicts, reduce_backbone

LEVELS = [8, 8, 16, 16]
BINS = 16


def reduce_config(cfg: Config, folder: Path) -> Config:
    """Return a config of configs/depth that trains a step and tests its images.

    Args:
        cfg: The config; is left as it is.
        folder: Where the data, logs and the checkpoint go.
    """
    cfg = Config(cfg.to_dict())
    reduce_model(cfg.model)
    for split in ('train', 'val', 'test'):
        loader = cfg[f'{split}_dataloader']
        loader.update(num_workers=0, persistent_workers=False)
        for part in dicts(loader.dataset):
            if part.get('type') in WRITERS:
                part.data_root = str(folder / 'data')
    WRITERS[cfg.train_dataloader.dataset.type](folder / 'data')
    cfg.train_dataloader.batch_size = 2
    cfg.train_dataloader.dataset.indices = 2
    if cfg.train_cfg.type == 'EpochBasedTrainLoop':
        cfg.train_cfg.max_epochs = 1
    else:
        cfg.train_cfg.update(max_iters=1, val_interval=1)
    cfg.work_dir = str(folder / 'work')
    return cfg


def reduce_model(model: ConfigDict) -> None:
    """Cut an estimator down in place; sizes of images and the range of depth stay."""
    width = reduce_backbone(model.backbone).width
    head = model.decode_head
    head.num_bins = BINS
    if 'neck' in model:
        model.neck.in_channels = [WIDTH for _ in model.neck.in_channels]
        model.neck.out_channels = head.in_channels = LEVELS
        head.channels = 8
    elif head.in_channels == width:
        head.in_channels = WIDTH
    else:
        head.in_channels = [WIDTH for _ in head.in_channels]
