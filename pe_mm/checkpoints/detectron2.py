"""Convert detectron2's Mask R-CNN on a Perception Encoder into an mmdet checkpoint."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from pe_mm.checkpoints.architecture import Architecture
from pe_mm.checkpoints.converting import Conversion, absent_names
from pe_mm.checkpoints.errors import CheckpointError, listing
from pe_mm.checkpoints.layouts import ROPE_BUFFER, find_encoder, unwrap
from pe_mm.checkpoints.loading import check_family
from pe_mm.checkpoints.rename_rules import Renamed, meta_name, meta_to_ours
from pe_mm.checkpoints.values import check_dtypes
from pe_mm.variants import VARIANTS

ENCODER = 'backbone.net.'
CLASSIFIER = 'roi_heads.box_predictor.cls_score'
REGRESSOR = 'roi_heads.box_predictor.bbox_pred'
MASK_PREDICTOR = 'roi_heads.mask_head.predictor'
# Federated models have this buffer: image_count ** 0.5 of each class.
FEDERATED_WEIGHTS = 'roi_heads.box_predictor.fed_loss_cls_weights'

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
# What an encoder in a detector consists of.
_ENCODER_PARTS = ('patch_embed', 'pos_embed', 'norm_pre', 'blocks')

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
    """

    num_classes: int
    sigmoid: bool
    dataset: str | None
    config: str | None


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
        CheckpointError: This is no such detector, a tensor is absent or unknown, or
            the shapes disagree about the number of classes.
    """
    state, skipped = {}, {}
    for key, value in unwrap(checkpoint).items():
        if isinstance(value, Tensor):
            state[str(key)] = value
        else:
            skipped[str(key)] = 'not a tensor'
    _check_is_detector(state)
    net = {
        k.removeprefix(ENCODER): t for k, t in state.items() if k.startswith(ENCODER)
    }
    encoder = meta_to_ours(net)
    tables = [key for key in encoder.unknown if ROPE_BUFFER.fullmatch(key)]
    skipped |= dict.fromkeys((ENCODER + key for key in tables), 'RoPE table, computed')
    _check_names(state, encoder, skipped)

    sigmoid = sigmoid or FEDERATED_WEIGHTS in state
    num_classes = _count_classes(state)
    tensors = {f'backbone.{key}': tensor for key, tensor in encoder.tensors.items()}
    origin = {
        f'backbone.{new}': tuple(ENCODER + old for old in olds)
        for new, olds in encoder.origin.items()
    }
    tensors |= {new: state[old] for old, new in NAMES.items()}
    origin |= {new: (old,) for old, new in NAMES.items()}
    changes = {}
    if sigmoid:
        for old, new in NAMES.items():
            if old.startswith(f'{CLASSIFIER}.'):
                tensors[new] = state[old][:num_classes]
                changes[new] = f'without row {num_classes}, the background'
        if FEDERATED_WEIGHTS in state:
            tensors[CLASS_WEIGHTS] = state[FEDERATED_WEIGHTS]
            origin[CLASS_WEIGHTS] = (FEDERATED_WEIGHTS,)
        else:
            tensors[CLASS_WEIGHTS] = torch.zeros(num_classes)
            origin[CLASS_WEIGHTS] = ()
            changes[CLASS_WEIGHTS] = 'zeros: pe_mm.FederatedLoss takes them as unknown'
    check_dtypes('the checkpoint', tensors)

    variants = _official_encoders(encoder.tensors)
    dataset = _DATASETS.get((num_classes, sigmoid))
    configs = [RELEASED.get((variant, dataset or '')) for variant in variants]
    return DetectorConversion(
        tensors,
        origin,
        skipped,
        'detectron2',
        variants,
        changes,
        num_classes=num_classes,
        sigmoid=sigmoid,
        dataset=dataset,
        config=next(filter(None, configs), None),
    )


def _check_is_detector(state: Mapping[str, Tensor]) -> None:
    """Refuse whatever is not detectron2's, saying what it is.

    Raises:
        CheckpointError: It is another detector, an encoder alone, or something else.
    """
    for pattern, description in _OTHER_DETECTORS:
        if any(re.match(pattern, key) for key in state):
            raise CheckpointError(
                f'no detectron2 Mask R-CNN on a Perception Encoder: this is '
                f'{description}'
            )
    if any(key.startswith(('roi_heads.', 'proposal_generator.')) for key in state):
        return
    found = find_encoder(state)
    weights = found.in_our_names().tensors
    check_family('the checkpoint', weights, found.layout, with_pool=False)
    raise CheckpointError(
        'no detector in the checkpoint: it holds a Perception Encoder alone, which is '
        'converted without `--from detectron2`'
    )


def _check_names(
    state: Mapping[str, Tensor], encoder: Renamed, skipped: Mapping[str, str]
) -> None:
    """Check that every tensor has a place, and every place its tensor.

    Raises:
        CheckpointError: The message names the tensors of which this is not so.
    """
    parts = {
        key: tensor
        for key, tensor in encoder.tensors.items()
        if key.split('.')[0] in _ENCODER_PARTS
    }
    known = {*NAMES, FEDERATED_WEIGHTS, *skipped}
    known |= {ENCODER + old for key in parts for old in encoder.origin[key]}
    absent = [f'{ENCODER}{meta_name(key)}' for key in absent_names(parts)]
    problems = {
        'unknown': [key for key in state if key not in known],
        'missing': absent + [key for key in NAMES if key not in state],
    }
    if any(problems.values()):
        told = (f'{len(n)} {kind}: {listing(n)}' for kind, n in problems.items() if n)
        raise CheckpointError(
            'the tensors are not those of a detectron2 Mask R-CNN on a Perception '
            f'Encoder; {"; ".join(told)}'
        )


def _count_classes(state: Mapping[str, Tensor]) -> int:
    """Return the number of foreground classes.

    Raises:
        CheckpointError: The predictors' shapes disagree about it.
    """
    count = len(state[f'{CLASSIFIER}.weight']) - 1
    allowed = {
        f'{CLASSIFIER}.{{leaf}}': (count + 1,),
        # One set for each class, or one for all.
        f'{REGRESSOR}.{{leaf}}': (4 * count, 4),
        f'{MASK_PREDICTOR}.{{leaf}}': (count, 1),
        FEDERATED_WEIGHTS: (count,),
    }
    for template, rows in allowed.items():
        for leaf in ('weight', 'bias'):
            tensor = state.get(template.format(leaf=leaf))
            if tensor is not None and len(tensor) not in rows:
                raise CheckpointError(
                    f'{template.format(leaf=leaf)} has {len(tensor)} rows and must '
                    f'have {" or ".join(map(str, rows))}: {CLASSIFIER} has {count} '
                    'classes and a background'
                )
    return count


def _official_encoders(tensors: Mapping[str, Tensor]) -> list[str]:
    """Name the variants that an encoder was made from.

    Detectors have patches of 16 pixels and no class token, whatever the variant has.
    """
    architecture = Architecture.of_weights(tensors)
    return [
        name
        for name, variant in VARIANTS.items()
        if architecture is not None
        and replace(
            architecture,
            patch_size=variant.patch_size,
            class_token=variant.class_token,
        )
        == Architecture.of_variant(variant)
    ]
