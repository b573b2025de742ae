"""Convert detectron2's Mask R-CNN on a Perception Encoder into an mmdet checkpoint."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from pe_mm.checkpoints.architecture import Architecture, has_spare_row
from pe_mm.checkpoints.converting import Conversion
from pe_mm.checkpoints.detectron2_shapes import check_shapes
from pe_mm.checkpoints.errors import CheckpointError, listing, shorten
from pe_mm.checkpoints.layouts import (
    ROPE_BUFFER,
    WRAPPERS,
    check_dense,
    find_encoder,
    unwrap,
)
from pe_mm.checkpoints.loading import check_family, official_variants
from pe_mm.checkpoints.rename_rules import BLOCK_NUMBER, RULES, meta_to_ours
from pe_mm.checkpoints.values import check_dtypes

ENCODER = 'backbone.net.'
CLASSIFIER = 'roi_heads.box_predictor.cls_score'
REGRESSOR = 'roi_heads.box_predictor.bbox_pred'
MASK_PREDICTOR = 'roi_heads.mask_head.predictor'
# Federated models have this buffer: image_count ** 0.5 of each class.
FEDERATED_WEIGHTS = 'roi_heads.box_predictor.fed_loss_cls_weights'
# Mean and standard deviation of each channel, of images in 0..255.
PIXEL_SCALE = 127.0

# detectron2's name -> ours; {leaf} stands for weight and bias. Nothing is transposed or
# reordered: the background is last, deltas are class-major and RPN channels
# anchor-major in both.
_TABLE = {
    'backbone.simfp_2.0.{leaf}': 'neck.levels.0.0.{leaf}',
    'backbone.simfp_2.1.{leaf}': 'neck.levels.0.1.{leaf}',
    'backbone.simfp_2.3.{leaf}': 'neck.levels.0.3.{leaf}',
    'backbone.simfp_2.4.weight': 'neck.levels.0.4.weight',
    'backbone.simfp_2.4.norm.{leaf}': 'neck.levels.0.5.{leaf}',
    'backbone.simfp_2.5.weight': 'neck.levels.0.6.weight',
    'backbone.simfp_2.5.norm.{leaf}': 'neck.levels.0.7.{leaf}',
    'backbone.simfp_3.0.{leaf}': 'neck.levels.1.0.{leaf}',
    'backbone.simfp_3.1.weight': 'neck.levels.1.1.weight',
    'backbone.simfp_3.1.norm.{leaf}': 'neck.levels.1.2.{leaf}',
    'backbone.simfp_3.2.weight': 'neck.levels.1.3.weight',
    'backbone.simfp_3.2.norm.{leaf}': 'neck.levels.1.4.{leaf}',
    'backbone.simfp_4.0.weight': 'neck.levels.2.0.weight',
    'backbone.simfp_4.0.norm.{leaf}': 'neck.levels.2.1.{leaf}',
    'backbone.simfp_4.1.weight': 'neck.levels.2.2.weight',
    'backbone.simfp_4.1.norm.{leaf}': 'neck.levels.2.3.{leaf}',
    'backbone.simfp_5.1.weight': 'neck.levels.3.1.weight',
    'backbone.simfp_5.1.norm.{leaf}': 'neck.levels.3.2.{leaf}',
    'backbone.simfp_5.2.weight': 'neck.levels.3.3.weight',
    'backbone.simfp_5.2.norm.{leaf}': 'neck.levels.3.4.{leaf}',
    'proposal_generator.rpn_head.conv.conv0.{leaf}': 'rpn_head.rpn_conv.0.conv.{leaf}',
    'proposal_generator.rpn_head.conv.conv1.{leaf}': 'rpn_head.rpn_conv.1.conv.{leaf}',
    'proposal_generator.rpn_head.objectness_logits.{leaf}': 'rpn_head.rpn_cls.{leaf}',
    'proposal_generator.rpn_head.anchor_deltas.{leaf}': 'rpn_head.rpn_reg.{leaf}',
    **{
        f'roi_heads.{theirs}{i + 1}.{old}': f'roi_head.{ours}.{i}.{new}'
        for theirs, ours in (
            ('box_head.conv', 'bbox_head.shared_convs'),
            ('mask_head.mask_fcn', 'mask_head.convs'),
        )
        for i in range(4)
        for old, new in (('weight', 'conv.weight'), ('norm.{leaf}', 'ln.{leaf}'))
    },
    'roi_heads.box_head.fc1.{leaf}': 'roi_head.bbox_head.shared_fcs.0.{leaf}',
    f'{CLASSIFIER}.{{leaf}}': 'roi_head.bbox_head.fc_cls.{leaf}',
    f'{REGRESSOR}.{{leaf}}': 'roi_head.bbox_head.fc_reg.{leaf}',
    'roi_heads.mask_head.deconv.{leaf}': 'roi_head.mask_head.upsample.{leaf}',
    f'{MASK_PREDICTOR}.{{leaf}}': 'roi_head.mask_head.conv_logits.{leaf}',
}
NAMES = {
    old.format(leaf=leaf): new.format(leaf=leaf)
    for old, new in _TABLE.items()
    for leaf in (('weight', 'bias') if '{leaf}' in old else ('',))
}
CLASS_WEIGHTS = 'roi_head.bbox_head.loss_cls.class_weights'
# Parts of the file -> what their names start with.
_PARTS = {
    'the encoder': ENCODER,
    'the pyramid': 'backbone.simfp_',
    'the RPN': 'proposal_generator.',
    'the box head': 'roi_heads.box_',
    'the mask head': 'roi_heads.mask_head.',
}
# Parts of Meta's encoder that are left in a detector.
_ENCODER_PARTS = ('positional_embedding', 'conv1', 'ln_pre', 'transformer')
_BLOCK = re.compile(rf'{re.escape(ENCODER)}transformer\.resblocks\.({BLOCK_NUMBER})\.')
# What data parallelism puts before names.
_PARALLEL = re.compile(r'^(?:module\.)+')
# Older versions of detectron2 saved these two with the weights.
_PIXELS = ('pixel_mean', 'pixel_std')
_ANCHORS = re.compile(r'proposal_generator\.(?:.+\.)?cell_anchors\.\d+')

# A telling name of other detectors -> what to say of them.
_OTHER_DETECTORS = (
    (
        r'(?:transformer\.level_embed$|backbone\.0\.body\.)',
        'a DETA detector; of the detectors, Mask R-CNNs alone can be converted',
    ),
    (
        r'(?:rpn_head|roi_head|bbox_head|neck)\.',
        "a detector in mmdet's names already; use the file as it is",
    ),
    (
        r'backbone\.(?:bottom_up|fpn_lateral\d|res\d)\.',
        'a detectron2 model on a convolutional network',
    ),
    (r'backbone\.net\.(?:blocks|patch_embed)\.', 'a detectron2 model on another ViT'),
    (r'roi_heads\.box_(?:head|predictor)\.0\.', 'a Cascade R-CNN of detectron2'),
)

# (encoder, dataset) of Meta's released detectors -> the config in configs/detection/.
RELEASED = {
    ('PE-Core-G14-448', 'coco'): 'mask_rcnn_pe_core_g_coco_75e',
    ('PE-Spatial-G14-448', 'coco'): 'mask_rcnn_pe_spatial_g_coco_36e',
    ('PE-Core-G14-448', 'lvis'): 'mask_rcnn_pe_core_g_lvis_75e',
    ('PE-Spatial-G14-448', 'lvis'): 'mask_rcnn_pe_spatial_g_lvis_75e',
}
# (number of classes, sigmoid classifier) -> dataset, in mmdet's spelling.
_DATASETS = {(80, False): 'coco', (1203, True): 'lvis'}


@dataclass(frozen=True, kw_only=True)
class DetectorConversion(Conversion):
    """A converted detector.

    Attributes:
        num_classes: Foreground classes.
        sigmoid: Whether the classifier has a sigmoid per class and no background.
        dataset: 'coco' or 'lvis' where the classes tell; None for others.
        config: Config in configs/detection/ that the weights load into, where this is
            one of Meta's released detectors.
        warnings: What looks wrong although every tensor fits.
    """

    num_classes: int
    sigmoid: bool
    dataset: str | None
    config: str | None
    warnings: tuple[str, ...] = ()


def convert_detectron2(
    checkpoint: Mapping[str, Any], *, sigmoid: bool = False
) -> DetectorConversion:
    """Rename a detectron2 Mask R-CNN on a Perception Encoder to mmdet's names.

    Values and dtypes stay, and tensors are views of the old ones; those of the meta
    device will do. RoPE tables are left out, since the encoder computes them. A sigmoid
    classifier loses its background row: it never gets a gradient, and its score is
    dropped at test time.

    Args:
        checkpoint: detectron2's file, whose weights are under 'model', or a flat dict.
        sigmoid: The classifier was trained with a sigmoid per class. It is known for
            federated models, such as those on LVIS, by their class weights.

    Raises:
        CheckpointError: This is no such detector, a tensor is absent, unknown or not
            dense, a shape does not go with the others, or the pixels' mean or standard
            deviation is not 127.
    """
    state, keys, skipped = _collect(checkpoint)
    _check_is_detector(state)
    _check_pixels(state)
    reasons = {name: _reason_to_drop(name) for name in state}
    skipped |= {keys[name]: reason for name, reason in reasons.items() if reason}
    state = {name: tensor for name, tensor in state.items() if not reasons[name]}
    _check_names(state)
    sizes = check_shapes(state)

    tensors, origin = _rename(state)
    changes = {}
    if has_spare_row(sizes.positions):
        tensors['backbone.pos_embed'] = tensors['backbone.pos_embed'][:, 1:]
        changes['backbone.pos_embed'] = "the class token's row dropped"
    sigmoid = sigmoid or CLASS_WEIGHTS in tensors
    if sigmoid:
        changes |= _drop_background(tensors, sizes.classes)
    check_dtypes('the checkpoint', tensors)

    architecture = Architecture.of_weights(
        {name.removeprefix('backbone.'): tensor for name, tensor in tensors.items()}
    )
    variants = official_variants(architecture) if architecture else []
    dataset = _DATASETS.get((sizes.classes, sigmoid))
    configs = [RELEASED.get((variant, dataset or '')) for variant in variants]
    return DetectorConversion(
        tensors,
        {new: tuple(keys[old] for old in origin.get(new, ())) for new in tensors},
        skipped,
        'detectron2',
        variants,
        changes,
        num_classes=sizes.classes,
        sigmoid=sigmoid,
        dataset=dataset,
        config=next(filter(None, configs), None),
        warnings=tuple(_doubts(sizes.classes, sigmoid=sigmoid)),
    )


def _collect(
    checkpoint: Mapping[str, Any],
) -> tuple[dict[str, Tensor], dict[str, str], dict[str, str]]:
    """Return the tensors by name without wrappers, names -> keys, and what is none.

    Raises:
        CheckpointError: Two keys have one name, or a tensor is not dense.
    """
    state: dict[str, Tensor] = {}
    keys: dict[str, str] = {}
    skipped: dict[str, str] = {}
    for key, value in unwrap(checkpoint).items():
        name = _PARALLEL.sub('', WRAPPERS.sub('', str(key)))
        if not isinstance(value, Tensor):
            skipped[str(key)] = 'not a tensor'
        elif name in state:
            raise CheckpointError(f'the checkpoint holds {shorten(name)!r} twice')
        else:
            check_dense(str(key), value)
            state[name], keys[name] = value, str(key)
    return state, keys, skipped


def _check_is_detector(state: Mapping[str, Tensor]) -> None:
    """Refuse whatever is not detectron2's, saying what it is.

    Raises:
        CheckpointError: It is another detector, an encoder alone, or something else.
    """
    problem = 'no detectron2 Mask R-CNN on a Perception Encoder'
    for pattern, description in _OTHER_DETECTORS:
        if any(re.match(pattern, name) for name in state):
            raise CheckpointError(f'{problem}: this is {description}')
    absent = {
        part: start
        for part, start in _PARTS.items()
        if not any(name.startswith(start) for name in state)
    }
    if not absent:
        return
    if {*absent, 'the encoder'} == {*_PARTS}:
        found = find_encoder(state)
        weights = found.in_our_names().tensors
        check_family('the checkpoint', weights, found.layout, with_pool=False)
        if set(found.outside.values()) <= {'text tower'}:
            raise CheckpointError(
                'no detector in the checkpoint: it holds a Perception Encoder alone, '
                'which is converted without `--from detectron2`'
            )
    told = (f'{part} ({start}*)' for part, start in absent.items())
    raise CheckpointError(f'{problem}; these parts are absent: {listing(told)}')


def _check_pixels(state: Mapping[str, Tensor]) -> None:
    """Check that images are normalised as the configs do.

    Raises:
        CheckpointError: The mean or standard deviation in the file is another.
    """
    for name in _PIXELS:
        tensor = state.get(name)
        if tensor is not None and not tensor.is_meta and (tensor != PIXEL_SCALE).any():
            raise CheckpointError(
                f'{name} is {listing(map(str, tensor.flatten().tolist()))}; Mask '
                f'R-CNNs on a Perception Encoder have {PIXEL_SCALE} for every channel'
            )


def _reason_to_drop(name: str) -> str | None:
    """Return why mmdet's detector has no place for a tensor; None if it has."""
    if name.startswith(ENCODER) and ROPE_BUFFER.fullmatch(name.removeprefix(ENCODER)):
        return 'RoPE table, computed'
    if name in _PIXELS:
        return f"{PIXEL_SCALE} for every channel, in the config's data_preprocessor"
    if _ANCHORS.fullmatch(name):
        return 'anchors, computed'
    return None


def _check_names(state: Mapping[str, Tensor]) -> None:
    """Check that every tensor has a place, and every place its tensor.

    Raises:
        CheckpointError: The message names the tensors of which this is not so.
    """
    needed = {**_encoder_names(state), **NAMES}
    problems = {
        'unknown': [name for name in state if name not in {*needed, FEDERATED_WEIGHTS}],
        'missing': [name for name in needed if name not in state],
    }
    if any(problems.values()):
        told = (f'{len(n)} {kind}: {listing(n)}' for kind, n in problems.items() if n)
        raise CheckpointError(
            'the tensors are not those of a detectron2 Mask R-CNN on a Perception '
            f'Encoder; {"; ".join(told)}'
        )


def _encoder_names(state: Mapping[str, Tensor]) -> dict[str, None]:
    """Return the names that the encoder must have, with LayerScale if any is there."""
    numbers = [int(match[1]) for name in state if (match := _BLOCK.match(name))]
    scaled = any(_BLOCK.match(name) and name.endswith('.gamma') for name in state)
    templates = [
        rule.meta
        for rule in RULES
        if rule.meta.split('.')[0] in _ENCODER_PARTS
        and (scaled or not rule.meta.endswith('.gamma'))
    ]
    return dict.fromkeys(
        ENCODER + template.format(i=i, leaf=leaf)
        for i in range(max(numbers, default=0) + 1)
        for template in templates
        for leaf in ('weight', 'bias')
    )


def _rename(
    state: Mapping[str, Tensor],
) -> tuple[dict[str, Tensor], dict[str, tuple[str, ...]]]:
    """Return the tensors in mmdet's names, and the old names of each."""
    net = {
        k.removeprefix(ENCODER): t for k, t in state.items() if k.startswith(ENCODER)
    }
    encoder = meta_to_ours(net)
    tensors = {f'backbone.{new}': tensor for new, tensor in encoder.tensors.items()}
    origin = {
        f'backbone.{new}': tuple(ENCODER + old for old in olds)
        for new, olds in encoder.origin.items()
    }
    for old, new in {**NAMES, FEDERATED_WEIGHTS: CLASS_WEIGHTS}.items():
        if old in state:
            tensors[new], origin[new] = state[old], (old,)
    return tensors, origin


def _drop_background(tensors: dict[str, Tensor], classes: int) -> dict[str, str]:
    """Make the classifier one of sigmoids, in place; return what was done."""
    changes = {}
    for leaf in ('weight', 'bias'):
        new = NAMES[f'{CLASSIFIER}.{leaf}']
        tensors[new] = tensors[new][:classes]
        changes[new] = f'without row {classes}, the background'
    if CLASS_WEIGHTS not in tensors:
        tensors[CLASS_WEIGHTS] = torch.zeros(classes)
        changes[CLASS_WEIGHTS] = 'zeros: pe_mm.FederatedLoss takes them as unknown'
    return changes


def _doubts(classes: int, *, sigmoid: bool) -> Iterator[str]:
    """Yield what looks wrong although every tensor fits."""
    dataset = _DATASETS.get((classes, True))
    if dataset is not None and not sigmoid:
        yield (
            f'{classes} classes are those of {dataset.upper()}, but the class weights '
            'of a federated loss are absent; if the classifier was trained with a '
            'sigmoid per class, pass --sigmoid (sigmoid=True)'
        )
