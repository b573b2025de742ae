"""detectron2's detectors become mmdet's, every tensor accounted for."""

import re

import pytest
import torch
from detectron2_models import CONFIGS, shapes, small_config, small_state
from mmdet.utils import register_all_modules
from mmengine.config import Config
from mmengine.registry import MODELS

from helpers import golden
from pe_mm.checkpoints import CheckpointError, convert_detectron2
from pe_mm.checkpoints.rename_rules import meta_to_ours

register_all_modules(init_default_scope=False)

NET = 'backbone.net.'
PREDICTOR = 'roi_heads.box_predictor.'
CLS_SCORE = f'{PREDICTOR}cls_score.weight'
FED_WEIGHTS = f'{PREDICTOR}fed_loss_cls_weights'


def build(cfg):
    cfg.model.backbone.pretrained = False
    return MODELS.build(dict(cfg.model, _scope_='mmdet'))


# Entries and parameters of the specification, section 1.1; the classifier's background
# row of LVIS models is 1024 weights and a bias.
@pytest.mark.parametrize(
    ('name', 'encoder', 'dataset', 'classes', 'entries', 'parameters', 'in_encoder'),
    [
        ('core_g_coco_75e', 'Core', 'coco', 80, 782, 1_885_521_776, 1_852_009_984),
        ('spatial_g_coco_36e', 'Spatial', 'coco', 80, 882, 1_885_675_376, 1852163584),
        ('core_g_lvis_75e', 'Core', 'lvis', 1203, 783, 1_891_565_762, 1_852_009_984),
        ('spatial_g_lvis_75e', 'Spatial', 'lvis', 1203, 883, 1891719362, 1852163584),
    ],
)
def test_convert__released_detector__every_entry_has_its_place_in_the_config(
    name, encoder, dataset, classes, entries, parameters, in_encoder
) -> None:
    lvis = dataset == 'lvis'
    table = shapes(classes=classes, layer_scale=encoder == 'Spatial', federated=lvis)
    state = {key: torch.empty(shape, device='meta') for key, shape in table.items()}
    assert len(state) == entries
    conversion = convert_detectron2({'model': state, 'iteration': 66374})

    assert conversion.config == f'mask_rcnn_pe_{name}'
    assert conversion.variants == [f'PE-{encoder}-G14-448']
    assert (conversion.dataset, conversion.num_classes) == (dataset, classes)
    assert conversion.sigmoid is lvis
    used = [key for keys in conversion.origin.values() for key in keys]
    assert sorted([*used, *conversion.skipped]) == sorted(state)
    assert set(conversion.skipped.values()) == {'RoPE table, computed'}
    # Four tables of the encoder, two of each block.
    assert len(conversion.skipped) == 104

    with torch.device('meta'):
        model = build(
            Config.fromfile(CONFIGS / 'detection' / f'mask_rcnn_pe_{name}.py')
        )
    model.load_state_dict(conversion.tensors, strict=True)
    background = 1025 if lvis else 0
    assert sum(p.numel() for p in model.parameters()) == parameters - background
    assert sum(p.numel() for p in model.backbone.parameters()) == in_encoder


@pytest.mark.parametrize(
    ('name', 'classes', 'layer_scale', 'federated'),
    [
        ('mask_rcnn_pe_spatial_g_coco_36e', 80, True, False),
        ('mask_rcnn_pe_core_g_coco_75e', 5, False, False),
        ('mask_rcnn_pe_spatial_g_lvis_75e', 7, True, True),
    ],
)
def test_convert__reduced_detector__loads_strictly_with_its_values(
    name, classes, layer_scale, federated
) -> None:
    state = small_state(classes=classes, layer_scale=layer_scale, federated=federated)
    conversion = convert_detectron2(state)
    # Only an encoder of size G is a released one.
    assert (conversion.config, conversion.variants) == (None, [])
    model = build(small_config(name, classes=classes, layer_scale=layer_scale))
    model.load_state_dict(conversion.tensors, strict=True)
    loaded = model.state_dict()
    for new, (old,) in conversion.origin.items():
        source = state[old]
        if new in conversion.changes:
            source = source[:classes]
        assert torch.equal(loaded[new], source), f'{old} -> {new}'
    assert set(conversion.origin) == set(loaded)


@pytest.mark.parametrize(
    ('old', 'new'),
    [
        ('backbone.net.positional_embedding', 'backbone.pos_embed'),
        (
            'backbone.net.transformer.resblocks.2.attn.in_proj_weight',
            'backbone.blocks.2.attn.qkv.weight',
        ),
        (
            'backbone.net.transformer.resblocks.0.ls_2.gamma',
            'backbone.blocks.0.gamma_2',
        ),
        ('backbone.simfp_2.3.bias', 'neck.levels.0.3.bias'),
        ('backbone.simfp_2.5.norm.weight', 'neck.levels.0.7.weight'),
        ('backbone.simfp_3.1.norm.bias', 'neck.levels.1.2.bias'),
        ('backbone.simfp_4.1.weight', 'neck.levels.2.2.weight'),
        ('backbone.simfp_5.2.weight', 'neck.levels.3.3.weight'),
        (
            'proposal_generator.rpn_head.conv.conv1.weight',
            'rpn_head.rpn_conv.1.conv.weight',
        ),
        ('proposal_generator.rpn_head.anchor_deltas.bias', 'rpn_head.rpn_reg.bias'),
        (
            'roi_heads.box_head.conv4.norm.weight',
            'roi_head.bbox_head.shared_convs.3.ln.weight',
        ),
        ('roi_heads.box_head.fc1.weight', 'roi_head.bbox_head.shared_fcs.0.weight'),
        ('roi_heads.box_predictor.cls_score.bias', 'roi_head.bbox_head.fc_cls.bias'),
        (
            'roi_heads.mask_head.mask_fcn1.weight',
            'roi_head.mask_head.convs.0.conv.weight',
        ),
        ('roi_heads.mask_head.deconv.weight', 'roi_head.mask_head.upsample.weight'),
        ('roi_heads.mask_head.predictor.bias', 'roi_head.mask_head.conv_logits.bias'),
    ],
)
def test_convert__each_part__gets_its_name(old, new) -> None:
    state = small_state()
    conversion = convert_detectron2(state)
    assert conversion.origin[new] == (old,)
    assert torch.equal(conversion.tensors[new], state[old])


def test_convert__softmax_classifier__keeps_the_background() -> None:
    state = small_state(classes=5)
    conversion = convert_detectron2(state)
    assert conversion.tensors['roi_head.bbox_head.fc_cls.weight'] is state[CLS_SCORE]
    assert conversion.changes == {}
    assert not any('change' in row for row in conversion.rows())


def test_convert__federated_classifier__loses_the_background_and_says_so() -> None:
    state = small_state(classes=5, federated=True)
    conversion = convert_detectron2(state)
    weight = conversion.tensors['roi_head.bbox_head.fc_cls.weight']
    assert torch.equal(weight, state[CLS_SCORE][:5])
    weights = conversion.tensors['roi_head.bbox_head.loss_cls.class_weights']
    assert weights is state[FED_WEIGHTS]
    rows = {row['to']: row for row in conversion.rows()}
    assert rows['roi_head.bbox_head.fc_cls.bias'] == {
        'from': [f'{PREDICTOR}cls_score.bias'],
        'to': 'roi_head.bbox_head.fc_cls.bias',
        'shape': [5],
        'dtype': 'float32',
        'change': 'without row 5, the background',
    }


def test_convert__sigmoid_without_class_weights__leaves_them_unknown() -> None:
    conversion = convert_detectron2(small_state(classes=5), sigmoid=True)
    assert conversion.sigmoid
    model = build(small_config('mask_rcnn_pe_spatial_g_lvis_75e', classes=5))
    model.load_state_dict(conversion.tensors, strict=True)
    assert not model.roi_head.bbox_head.loss_cls.class_weights.any()


def test_convert__80_sigmoid_classes__are_not_taken_for_coco() -> None:
    state = small_state(classes=80)
    assert convert_detectron2(state).dataset == 'coco'
    assert convert_detectron2(state, sigmoid=True).dataset is None


def test_convert__class_agnostic_boxes_and_masks__are_fine() -> None:
    state = small_state(classes=5)
    for name, rows in (
        ('roi_heads.box_predictor.bbox_pred', 4),
        ('roi_heads.mask_head.predictor', 1),
    ):
        for leaf in ('weight', 'bias'):
            state[f'{name}.{leaf}'] = state[f'{name}.{leaf}'][:rows]
    assert convert_detectron2(state).num_classes == 5


def block(name):
    return f'{NET}transformer.resblocks.1.{name}'


@pytest.mark.parametrize(
    ('key', 'shape', 'expected'),
    [
        (FED_WEIGHTS, (4,), r'\(5,\)'),
        (f'{PREDICTOR}bbox_pred.bias', (19,), r'\(20,\)'),
        ('roi_heads.box_head.conv1.weight', (16, 16, 1, 1), r'\(8, 8, 3, 3\)'),
        ('roi_heads.box_head.fc1.weight', (16, 3), r'\(16, 392\)'),
        ('roi_heads.mask_head.deconv.bias', (9,), r'\(8,\)'),
        (block('attn.in_proj_weight'), (95, 32), r'\(96, 32\)'),
        (block('mlp.c_fc.weight'), (49, 32), r'\(48, 32\)'),
        (block('ls_1.gamma'), (31,), r'\(32,\)'),
        (f'{NET}positional_embedding', (1, 15, 32), r'\(1, 16, 32\)'),
        ('backbone.simfp_2.0.bias', (32,), r'\(16,\)'),
        ('backbone.simfp_5.1.norm.weight', (9,), r'\(8,\)'),
    ],
)
def test_convert__tensor_of_another_shape__is_named_with_the_right_one(
    key, shape, expected
) -> None:
    state = small_state(classes=5, federated=True)
    state[key] = torch.zeros(shape)
    given = re.escape(str(shape))
    message = f'1 misshapen: {re.escape(key)} is {given} and must be {expected}'
    with pytest.raises(CheckpointError, match=f'{message}.*5 classes'):
        convert_detectron2(state)


def test_convert__scalar_where_sizes_are_read__is_an_error() -> None:
    with pytest.raises(CheckpointError, match=r'cls_score\.weight is \(\) and must'):
        convert_detectron2(small_state() | {CLS_SCORE: torch.tensor(1.0)})


def test_convert__sparse_tensor__is_an_error() -> None:
    state = small_state()
    state[CLS_SCORE] = state[CLS_SCORE].to_sparse()
    with pytest.raises(CheckpointError, match=r'cls_score\.weight.*sparse'):
        convert_detectron2(state)


def test_convert__half_of_layer_scale__names_what_is_missing() -> None:
    state = {k: v for k, v in small_state().items() if not k.endswith('ls_2.gamma')}
    with pytest.raises(
        CheckpointError, match=r'3 missing: .*resblocks\.0\.ls_2\.gamma'
    ):
        convert_detectron2(state)


def test_convert__row_of_a_class_token__is_dropped_with_a_word() -> None:
    state = small_state()
    rows = torch.randn(1, 17, 32)
    conversion = convert_detectron2(state | {f'{NET}positional_embedding': rows})
    assert torch.equal(conversion.tensors['backbone.pos_embed'], rows[:, 1:])
    assert 'token' in conversion.changes['backbone.pos_embed']


@pytest.mark.parametrize(
    'wrap',
    [lambda k: f'module.{k}', lambda k: k.replace('resblocks', '_orig_mod.resblocks')],
)
def test_convert__wrapped_detector__converts_and_reports_the_files_own_keys(
    wrap,
) -> None:
    state = small_state()
    wrapped = {wrap(key): tensor for key, tensor in state.items()}
    conversion = convert_detectron2({'model': wrapped})
    plain = convert_detectron2(state)
    assert conversion.tensors.keys() == plain.tensors.keys()
    for new, (old,) in conversion.origin.items():
        assert torch.equal(conversion.tensors[new], wrapped[old])
    assert set(conversion.skipped) == {wrap(key) for key in plain.skipped}


def test_convert__wrapped_deta__is_told_to_be_deta() -> None:
    state = {'module.transformer.level_embed': torch.zeros(5, 8)}
    with pytest.raises(CheckpointError, match='this is a DETA detector'):
        convert_detectron2(state)


def test_convert__pyramid_without_heads__says_which_parts_are_absent() -> None:
    state = {k: v for k, v in small_state().items() if k.startswith('backbone.')}
    message = r'absent: the RPN \(proposal_generator\.\*\), the box head .*the mask'
    with pytest.raises(CheckpointError, match=message):
        convert_detectron2(state)


def test_convert__constants_of_older_versions__are_dropped_with_a_reason() -> None:
    constants = {
        'pixel_mean': torch.full((3, 1, 1), 127.0),
        'pixel_std': torch.full((3, 1, 1), 127.0),
        'proposal_generator.anchor_generator.cell_anchors.0': torch.zeros(3, 4),
    }
    skipped = convert_detectron2(small_state() | constants).skipped
    assert [key in skipped for key in constants] == [True] * 3


def test_convert__other_pixel_mean__is_an_error() -> None:
    mean = torch.tensor([123.7, 116.3, 103.5])
    with pytest.raises(CheckpointError, match=r'pixel_mean is 123\.69.*have 127\.0'):
        convert_detectron2(small_state() | {'pixel_mean': mean})


@pytest.mark.parametrize(('sigmoid', 'doubts'), [(False, 1), (True, 0)])
def test_convert__lvis_classes_without_class_weights__hints_at_sigmoid(
    sigmoid, doubts
) -> None:
    conversion = convert_detectron2(small_state(classes=1203), sigmoid=sigmoid)
    assert len(conversion.warnings) == doubts
    assert all('pass --sigmoid' in text for text in conversion.warnings)


def test_convert__what_is_no_tensor__is_reported() -> None:
    conversion = convert_detectron2(small_state() | {'__author__': 'Meta'})
    assert conversion.skipped['__author__'] == 'not a tensor'


def test_convert__integers__are_an_error() -> None:
    state = small_state()
    state[CLS_SCORE] = state[CLS_SCORE].to(torch.int8)
    with pytest.raises(CheckpointError, match=r'fc_cls\.weight .* is torch\.int8'):
        convert_detectron2(state)


@pytest.mark.parametrize(
    'key',
    [
        'backbone.simfp_2.5.bias',
        'backbone.simfp_6.0.weight',
        'backbone.net.ln_post.weight',
        'backbone.net.class_embedding',
        'backbone.net.attn_pool.probe',
        'backbone.net.transformer.resblocks.0.ln_3.weight',
        'backbone.rope.freqs_cos',
        'roi_heads.mask_head.mask_fcn5.weight',
        'sem_seg_head.predictor.weight',
    ],
)
def test_convert__name_without_a_place__is_an_error(key) -> None:
    extra = {key: torch.zeros(32)}
    with pytest.raises(CheckpointError, match=rf'; 1 unknown: {re.escape(key)}$'):
        convert_detectron2(small_state() | extra)


@pytest.mark.parametrize(
    'key',
    [
        key
        for key in shapes(classes=5, layer_scale=True, federated=False, depth=1)
        if 'freqs' not in key
    ],
)
def test_convert__any_tensor_absent__is_named(key) -> None:
    state = small_state()
    del state[key]
    with pytest.raises(CheckpointError, match=rf'; 1 missing: {re.escape(key)}$'):
        convert_detectron2(state)


def mmdet_names():
    return convert_detectron2(small_state()).tensors


def encoder_alone():
    return golden('spatial_nocls_layerscale')[1]


def openai_clip():
    core = golden('core_cls')[1]
    return {f'visual.{k}': t for k, t in core.items() if not k.startswith('attn_pool')}


@pytest.mark.parametrize(
    ('state', 'message'),
    [
        (encoder_alone, 'holds a Perception Encoder alone, .* without `--from'),
        (lambda: meta_to_ours(encoder_alone()).tensors, 'a Perception Encoder alone'),
        (
            lambda: {f'module.{key}': t for key, t in encoder_alone().items()},
            'holds a Perception Encoder alone',
        ),
        (openai_clip, r"no attention pooling.*other CLIP models \(OpenAI's\)"),
        (mmdet_names, "in mmdet's names already; use the file as it is"),
        (
            lambda: {
                'transformer.level_embed': torch.zeros(5, 256),
                'backbone.0.body.conv1.weight': torch.zeros(8, 3, 16, 16),
            },
            'this is a DETA detector; of the detectors, Mask R-CNNs alone',
        ),
        (
            lambda: {
                'backbone.bottom_up.stem.conv1.weight': torch.zeros(64, 3, 7, 7),
                'roi_heads.box_head.fc1.weight': torch.zeros(8, 8),
            },
            'this is a detectron2 model on a convolutional network',
        ),
        (
            lambda: {
                'backbone.net.blocks.0.attn.qkv.weight': torch.zeros(12, 4),
                'backbone.simfp_2.0.weight': torch.zeros(4, 2, 2, 2),
                'roi_heads.box_head.fc1.weight': torch.zeros(8, 8),
            },
            'this is a detectron2 model on another ViT',
        ),
        (
            lambda: small_state() | {'roi_heads.box_head.0.fc1.weight': torch.zeros(2)},
            'this is a Cascade R-CNN of detectron2',
        ),
        (lambda: {'layer1.0.conv1.weight': torch.zeros(2)}, 'weights of a ResNet'),
        (lambda: {'model': {}}, 'no weights in the checkpoint'),
    ],
)
def test_convert__another_family__is_an_error_that_says_which(state, message) -> None:
    with pytest.raises(CheckpointError, match=message):
        convert_detectron2(state())
