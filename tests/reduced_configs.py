"""Detection configs cut down to what two cores train in seconds, structure kept.

Only numbers shrink: layers, widths, pixels, proposals, images. Model types, windows and
global blocks, pipelines, optimizer, schedule and hooks stay as the config has them.
"""

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from mmengine.config import Config, ConfigDict

from pe_mm.data import CLASSES, STUFF
from pe_mm.layers import resolve_layers
from pe_mm.variants import Variant, resolve_variant

SHRINK = 8  # Pixels, windows and trained grids: 1024 px become 128.
DEPTH, WIDTH, HEADS = 8, 32, 2
PIXELS = ('scale', 'scales', 'crop_size', 'image_size')
# Whatever is counted per image; a number that is not larger stays.
LIMITS = {
    'num': 48,
    'nms_pre': 100,
    'max_per_img': 40,
    'num_queries': 20,
    'num_dn_queries': 10,
    'max_per_image': 20,
    'num_points': 256,
    'feedforward_channels': 64,
    'fc_out_channels': 64,
}


def reduce_config(cfg: Config, demo_root: Path, work_dir: Path) -> Config:
    """Return a config of configs/detection that trains one step and tests two scenes.

    Args:
        cfg: The config; is left as it is.
        demo_root: Demo data of 128 px with at least two scenes per split.
        work_dir: Where logs and the checkpoint go.
    """
    cfg = one_step(cfg, demo_root, work_dir)
    _reduce_model(cfg.model)
    for loader in (cfg.train_dataloader, cfg.test_dataloader):
        for transform in dicts(_innermost(loader.dataset).pipeline):
            for key in PIXELS:
                if key in transform:
                    transform[key] = _shrunk(transform[key])
    # It needs a GPU.
    if cfg.optim_wrapper.type == 'AmpOptimWrapper':
        cfg.optim_wrapper.type = 'OptimWrapper'
        for key in ('dtype', 'loss_scale'):
            cfg.optim_wrapper.pop(key, None)
    return cfg


def one_step(cfg: Config, demo_root: Path, work_dir: Path) -> Config:
    """Return a config that trains one step and tests, on two demo scenes each."""
    cfg = Config(cfg.to_dict())
    for split, folder in (('train', 'training'), ('test', 'validation')):
        loader = cfg[f'{split}_dataloader']
        loader.update(batch_size=2, num_workers=0, persistent_workers=False)
        # There are fewer scenes than the part of them that some configs take.
        loader.dataset.pop('indices', None)
        _use_demo_scenes(_innermost(loader.dataset), folder, demo_root)
    for metric in dicts(cfg.test_evaluator):
        _use_demo_labels(metric, demo_root / 'annotations')
    cfg.val_dataloader = cfg.val_evaluator = cfg.val_cfg = None
    loop = cfg.train_cfg
    loop['max_epochs' if loop.type == 'EpochBasedTrainLoop' else 'max_iters'] = 1
    cfg.work_dir = str(work_dir)
    return cfg


def reduce_backbone(backbone: ConfigDict) -> Variant:
    """Cut an encoder down in place; return the variant that it was."""
    real = resolve_variant(backbone.variant)
    backbone.variant = {
        **asdict(real),
        **dict(name='custom', timm_id=None, weights=None),
        **dict(depth=DEPTH, width=WIDTH, heads=HEADS),
        'image_size': real.image_size // SHRINK,
    }
    backbone.pretrained = False
    for key in ('window_size', 'rope_reference_size'):
        if backbone.get(key):
            backbone[key] //= SHRINK
    for key in ('out_indices', 'global_blocks'):
        layers = backbone.get(key)
        if not isinstance(layers, (str, type(None))) and layers != ():
            kept = resolve_layers(layers, real.depth)
            scaled = {((i + 1) * DEPTH - 1) // real.depth for i in kept}
            backbone[key] = sorted(scaled)
    return real


def _reduce_model(model: ConfigDict) -> None:
    real = reduce_backbone(model.backbone)
    if model.data_preprocessor.pad_size_divisor == 1024:
        model.data_preprocessor.pad_size_divisor //= SHRINK
    for part in dicts(model):
        for key, value in part.items():
            if key in LIMITS and isinstance(value, int):
                part[key] = min(value, LIMITS[key])
            elif key == 'in_channels' and value == real.width:
                part[key] = WIDTH
            elif key == 'num_layers':
                part[key] = min(value, 2)
            elif key in ('num_classes', 'num_things_classes'):
                part[key] = len(CLASSES)
            elif key == 'num_stuff_classes' and value:
                part[key] = len(STUFF)
            elif key == 'class_weight':
                stuff = STUFF if model.panoptic_head.num_stuff_classes else ()
                part[key] = [1.0] * len(CLASSES + stuff) + value[-1:]


def _use_demo_scenes(dataset: ConfigDict, folder: str, demo_root: Path) -> None:
    if 'img_path' in dataset.data_prefix:  # mmseg's, of a demo config.
        dataset.update(data_root=str(demo_root), indices=2)
        return
    panoptic = dataset.type == 'CocoPanopticDataset'
    kind = 'panoptic' if panoptic else 'instances'
    classes = dict(classes=CLASSES)
    prefix = dict(img=f'images/{folder}/')
    if panoptic:
        classes = dict(
            classes=CLASSES + STUFF, thing_classes=CLASSES, stuff_classes=STUFF
        )
        prefix['seg'] = f'annotations/panoptic_{folder}/'
    dataset.update(
        # LVIS's class wants annotations that demo scenes do not have.
        type='CocoPanopticDataset' if panoptic else 'CocoDataset',
        metainfo=classes,
        data_root=str(demo_root),
        ann_file=f'annotations/{kind}_{folder}.json',
        data_prefix=prefix,
        indices=2,
    )


def _use_demo_labels(metric: ConfigDict, annotations: Path) -> None:
    if 'ann_file' not in metric:
        return
    kind = 'panoptic' if 'seg_prefix' in metric else 'instances'
    metric.ann_file = f'{annotations}/{kind}_validation.json'
    if kind == 'panoptic':
        metric.seg_prefix = f'{annotations}/panoptic_validation/'
    if metric.type == 'pe_mm.LVISMetric':
        metric.type = 'CocoMetric'


def _innermost(dataset: ConfigDict) -> ConfigDict:
    """Unwrap what repeats images."""
    return _innermost(dataset.dataset) if 'dataset' in dataset else dataset


def dicts(node: Any) -> Iterator[Any]:
    """Yield every dict in a tree of dicts and sequences, outer ones first."""
    if isinstance(node, Mapping):
        yield node
        node = list(node.values())
    if isinstance(node, (list, tuple)):
        for child in node:
            yield from dicts(child)


def _shrunk(size: Any) -> Any:
    if isinstance(size, (list, tuple)):
        return type(size)(_shrunk(s) for s in size)
    return size // SHRINK
