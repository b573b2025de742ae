"""Meta's four Mask R-CNN configs, value by value as detectron2 resolves them."""

import pytest
import torch
from mmdet.registry import TASK_UTILS
from mmengine.optim import build_optim_wrapper
from mmengine.registry import PARAM_SCHEDULERS, init_default_scope
from torch import nn

META = (
    'core_g_coco_75e',
    'spatial_g_coco_36e',
    'core_g_lvis_75e',
    'spatial_g_lvis_75e',
)


def each(*values):
    """One value for each config of META."""
    return dict(zip(META, values, strict=True))


COCO_LVIS = 'CrossEntropyLoss', 'CrossEntropyLoss', *['pe_mm.FederatedLoss'] * 2
NORM = {'type': 'pe_mm.LayerNorm2d', 'eps': 1e-6}

# What it is, where the config says it, and the value: one for all, or one for each.
TABLE = [
    # data preprocessor
    ('pixel mean', 'model.data_preprocessor.mean', [127.0] * 3),
    ('pixel std', 'model.data_preprocessor.std', [127.0] * 3),
    ('RGB', 'model.data_preprocessor.bgr_to_rgb', True),
    ('square pad', 'model.data_preprocessor.pad_size_divisor', 1024),
    ('masks are padded too', 'model.data_preprocessor.pad_mask', True),
    # encoder
    (
        'variant',
        'model.backbone.variant',
        each(*['PE-Core-G14-448', 'PE-Spatial-G14-448'] * 2),
    ),
    ('patch', 'model.backbone.patch_size', 16),
    ('conv1 14 -> 16', 'model.backbone.patch_resampling', 'bicubic'),
    ('window in tokens', 'model.backbone.window_size', 32),
    ('global blocks', 'model.backbone.global_blocks', (12, 24, 36, 49)),
    ('intp_freq', 'model.backbone.rope', 'rescale'),
    ('pt_hw_seq_len', 'model.backbone.rope_reference_size', 32),
    ('tile_posemb', 'model.backbone.position_embedding', 'tile'),
    ('drop path', 'model.backbone.drop_path_rate', 0.5),
    ('activation checkpointing', 'model.backbone.with_cp', True),
    ('one output', 'model.backbone.out_indices', 'last'),
    ('starts from PE', 'model.backbone.pretrained', True),
    # pyramid
    ('type', 'model.neck.type', 'pe_mm.SimpleFeaturePyramid'),
    ('width', 'model.neck.in_channels', 1536),
    ('channels', 'model.neck.out_channels', 256),
    ('scale factors', 'model.neck.scales', (4.0, 2.0, 1.0, 0.5)),
    ('p2..p6', 'model.neck.num_outs', 5),
    # RPN
    ('convolutions', 'model.rpn_head.num_convs', 2),
    ('channels', 'model.rpn_head.feat_channels', 256),
    ('box weights', 'model.rpn_head.bbox_coder.target_stds', [1.0] * 4),
    ('box means', 'model.rpn_head.bbox_coder.target_means', [0.0] * 4),
    ('L1', 'model.rpn_head.loss_bbox.type', 'L1Loss'),
    ('box loss weight', 'model.rpn_head.loss_bbox.loss_weight', 1.0),
    ('BCE', 'model.rpn_head.loss_cls.use_sigmoid', True),
    ('objectness loss weight', 'model.rpn_head.loss_cls.loss_weight', 1.0),
    ('low quality', 'model.train_cfg.rpn.assigner.type', 'pe_mm.Detectron2Assigner'),
    ('positive IoU', 'model.train_cfg.rpn.assigner.pos_iou_thr', 0.7),
    ('negative IoU', 'model.train_cfg.rpn.assigner.neg_iou_thr', 0.3),
    ('anchors per image', 'model.train_cfg.rpn.sampler.num', 256),
    ('positive', 'model.train_cfg.rpn.sampler.pos_fraction', 0.5),
    ('boundary threshold off', 'model.train_cfg.rpn.allowed_border', -1),
    ('pre-NMS in training', 'model.train_cfg.rpn_proposal.nms_pre', 2000),
    ('post-NMS in training', 'model.train_cfg.rpn_proposal.max_per_img', 1000),
    ('NMS in training', 'model.train_cfg.rpn_proposal.nms.iou_threshold', 0.7),
    ('min box size in training', 'model.train_cfg.rpn_proposal.min_bbox_size', 0),
    ('pre-NMS', 'model.test_cfg.rpn.nms_pre', 1000),
    ('post-NMS', 'model.test_cfg.rpn.max_per_img', 1000),
    ('NMS', 'model.test_cfg.rpn.nms.iou_threshold', 0.7),
    ('min box size', 'model.test_cfg.rpn.min_bbox_size', 0),
    ('proposals', 'model.rpn_head.type', 'pe_mm.Detectron2RPNHead'),
    ('decoding', 'model.rpn_head.bbox_coder.type', 'pe_mm.Detectron2BBoxCoder'),
    # RoI heads
    ('detections', 'model.roi_head.type', 'pe_mm.Detectron2RoIHead'),
    (
        'decoding',
        'model.roi_head.bbox_head.bbox_coder.type',
        'pe_mm.Detectron2BBoxCoder',
    ),
    ('matcher', 'model.train_cfg.rcnn.assigner.pos_iou_thr', 0.5),
    ('matcher, negative', 'model.train_cfg.rcnn.assigner.neg_iou_thr', 0.5),
    ('no low quality', 'model.train_cfg.rcnn.assigner.match_low_quality', False),
    ('RoIs per image', 'model.train_cfg.rcnn.sampler.num', 512),
    ('positive RoIs', 'model.train_cfg.rcnn.sampler.pos_fraction', 0.25),
    ('GT appended', 'model.train_cfg.rcnn.sampler.add_gt_as_proposals', True),
    ('box pooling', 'model.roi_head.bbox_roi_extractor.roi_layer.output_size', 7),
    ('mask pooling', 'model.roi_head.mask_roi_extractor.roi_layer.output_size', 14),
    ('adaptive', 'model.roi_head.bbox_roi_extractor.roi_layer.sampling_ratio', 0),
    ('adaptive', 'model.roi_head.mask_roi_extractor.roi_layer.sampling_ratio', 0),
    ('p2..p5', 'model.roi_head.bbox_roi_extractor.featmap_strides', [4, 8, 16, 32]),
    ('p2..p5', 'model.roi_head.mask_roi_extractor.featmap_strides', [4, 8, 16, 32]),
    ('4 conv, 1 fc', 'model.roi_head.bbox_head.type', 'Shared4Conv1FCBBoxHead'),
    ('conv channels', 'model.roi_head.bbox_head.conv_out_channels', 256),
    ('fc', 'model.roi_head.bbox_head.fc_out_channels', 1024),
    ('LN of the box head', 'model.roi_head.bbox_head.norm_cfg', NORM),
    ('class-specific', 'model.roi_head.bbox_head.reg_class_agnostic', False),
    (
        'box weights 10, 10, 5, 5',
        'model.roi_head.bbox_head.bbox_coder.target_stds',
        [0.1, 0.1, 0.2, 0.2],
    ),
    ('classes', 'model.roi_head.bbox_head.num_classes', each(80, 80, 1203, 1203)),
    ('classification', 'model.roi_head.bbox_head.loss_cls.type', each(*COCO_LVIS)),
    (
        'softmax',
        'model.roi_head.bbox_head.loss_cls.use_sigmoid',
        each(False, False, None, None),
    ),
    ('L1', 'model.roi_head.bbox_head.loss_bbox.type', 'L1Loss'),
    ('box loss weight', 'model.roi_head.bbox_head.loss_bbox.loss_weight', 1.0),
    ('mask convolutions', 'model.roi_head.mask_head.num_convs', 4),
    ('mask channels', 'model.roi_head.mask_head.conv_out_channels', 256),
    ('LN of the mask head', 'model.roi_head.mask_head.norm_cfg', NORM),
    ('mask classes', 'model.roi_head.mask_head.num_classes', each(80, 80, 1203, 1203)),
    ('mask targets', 'model.train_cfg.rcnn.mask_size', 28),
    ('mask loss weight', 'model.roi_head.mask_head.loss_mask.loss_weight', 1.0),
    ('score', 'model.test_cfg.rcnn.score_thr', each(0.05, 0.05, 0.02, 0.02)),
    ('detections', 'model.test_cfg.rcnn.max_per_img', each(100, 100, 300, 300)),
    ('hard NMS', 'model.test_cfg.rcnn.nms', {'type': 'nms', 'iou_threshold': 0.5}),
    ('mask threshold', 'model.test_cfg.rcnn.mask_thr_binary', 0.5),
    # optimiser and schedule
    (
        'iterations',
        'train_cfg.max_iters',
        each(138281, 66375, 138281, 138281),
    ),
    ('evaluation', 'train_cfg.val_interval', each(5000, 5000, 30000, 30000)),
    ('optimiser', 'optim_wrapper.optimizer.type', 'AdamW'),
    ('base lr', 'optim_wrapper.optimizer.lr', 5e-5),
    ('betas', 'optim_wrapper.optimizer.betas', (0.9, 0.999)),
    ('weight decay', 'optim_wrapper.optimizer.weight_decay', 0.1),
    ('layer decay', 'optim_wrapper.paramwise_cfg', {'layer_decay_rate': 0.9}),
    ('no clipping', 'optim_wrapper.clip_grad', None),
    ('no accumulation', 'optim_wrapper.accumulative_counts', None),
    ('AMP', 'optim_wrapper.type', 'AmpOptimWrapper'),
    ('fp16', 'optim_wrapper.dtype', 'float16'),
    ('GradScaler', 'optim_wrapper.loss_scale', 'dynamic'),
    ('fp32 evaluation', 'val_cfg', {'type': 'ValLoop'}),
    ('fp32 test', 'test_cfg', {'type': 'TestLoop'}),
    ('fp16 gradients', 'custom_hooks.0', {'type': 'pe_mm.Fp16GradientsHook'}),
    ('batch', 'auto_scale_lr', {'enable': False, 'base_batch_size': 64}),
    ('1 image per GPU', 'train_dataloader.batch_size', 1),
    # data
    ('target size', 'image_size', (1024, 1024)),
    ('EXIF, PIL', 'train_pipeline.0.imdecode_backend', 'pillow'),
    ('polygons', 'train_pipeline.1.poly2mask', False),
    ('horizontal flip', 'train_pipeline.2', {'type': 'RandomFlip', 'prob': 0.5}),
    ('LSJ', 'train_pipeline.3.type', 'pe_mm.ScaleJitter'),
    ('LSJ, target', 'train_pipeline.3.scale', (1024, 1024)),
    ('LSJ, scale', 'train_pipeline.3.ratio_range', (0.1, 2.0)),
    ('LSJ, aspect', 'train_pipeline.3.keep_ratio', True),
    ('LSJ, PIL bilinear', 'train_pipeline.3.backend', 'pillow'),
    ('crop', 'train_pipeline.4.type', 'pe_mm.FixedSizeCrop'),
    ('crop size', 'train_pipeline.4.crop_size', (1024, 1024)),
    ('boxes from masks', 'train_pipeline.4.recompute_bbox', True),
    ('emptied images stay', 'train_pipeline.5.keep_empty', False),
    ('no Pad', 'train_pipeline.6.type', 'PackDetInputs'),
    ('EXIF, PIL in tests', 'test_pipeline.0.imdecode_backend', 'pillow'),
    ('long edge', 'test_pipeline.1.scale', (1024, 1024)),
    ('aspect in tests', 'test_pipeline.1.keep_ratio', True),
    ('PIL bilinear in tests', 'test_pipeline.1.backend', 'pillow'),
    ('checkpoint', 'default_hooks.checkpoint.interval', 5000),
    ('counts iterations', 'default_hooks.checkpoint.by_epoch', False),
]
LVIS_TABLE = [
    ('federated set', 'custom_hooks.1.type', 'pe_mm.FederatedClassesHook'),
    ('weights', 'custom_hooks.1.power', 0.5),
    ('federated loss', 'model.roi_head.bbox_head.loss_cls.set_size', 50),
    ('federated classes', 'model.roi_head.bbox_head.loss_cls.num_classes', 1203),
    ('repeat factor', 'train_dataloader.dataset.type', 'ClassBalancedDataset'),
    ('threshold', 'train_dataloader.dataset.oversample_thr', 0.001),
    ('data', 'train_dataloader.dataset.dataset.type', 'LVISV1Dataset'),
    ('test data', 'test_dataloader.dataset.type', 'LVISV1Dataset'),
    ('evaluator', 'test_evaluator.type', 'pe_mm.LVISMetric'),
]


def lookup(node, path):
    for key in path.split('.'):
        node = node[int(key)] if isinstance(node, (list, tuple)) else node.get(key)
    return node


@pytest.mark.parametrize('name', META)
def test_config__every_value__is_the_specifications(mask_rcnn_config, name):
    cfg = mask_rcnn_config(name)
    table = TABLE + (LVIS_TABLE if 'lvis' in name else [])

    wrong = {}
    for what, path, value in table:
        expected = value[name] if isinstance(value, dict) and name in value else value
        if (found := lookup(cfg, path)) != expected:
            wrong[f'{what} ({path})'] = (found, expected)

    assert wrong == {}
    # What the table says of the pipelines holds for the data sets.
    train, test = cfg.train_dataloader.dataset, cfg.test_dataloader.dataset
    assert train.get('dataset', train).pipeline == cfg.train_pipeline
    assert test.pipeline == cfg.test_pipeline


# Iteration -> factor of the base rate.
FACTORS_36E = {
    0: 0.001,
    45: 0.001 + 0.999 * 45 / 90,
    89: 0.001 + 0.999 * 89 / 90,
    90: 1,
    91: 1,
    58999: 1,
    59000: 0.1,
    63915: 0.1,
    63916: 0.01,
    66374: 0.01,
}
# The warm-up takes 187.5 iterations with Meta, 188 here.
FACTORS_75E = {
    0: 0.001,
    187: 0.001 + 0.999 * 187 / 188,
    188: 1,
    122915: 1,
    122916: 0.1,
    133158: 0.1,
    133159: 0.01,
    138280: 0.01,
}


@pytest.mark.parametrize(
    ('name', 'expected'),
    [('spatial_g_coco_36e', FACTORS_36E), ('core_g_coco_75e', FACTORS_75E)],
)
def test_learning_rate__stepped_through_the_schedule__follows_metas(
    mask_rcnn_config, name, expected
):
    cfg = mask_rcnn_config(name)
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(()))], lr=5e-5)
    schedulers = [
        PARAM_SCHEDULERS.build({**scheduler, 'optimizer': optimizer})
        for scheduler in cfg.param_scheduler
    ]

    rates = []
    for _ in range(cfg.train_cfg.max_iters):
        rates.append(optimizer.param_groups[0]['lr'])
        optimizer.step()
        for scheduler in schedulers:
            scheduler.step()

    found = {iteration: rates[iteration] for iteration in expected}
    assert found == pytest.approx(
        {iteration: 5e-5 * factor for iteration, factor in expected.items()}, rel=1e-9
    )


def test_warm_up__75_epochs__reaches_the_full_rate_where_metas_187_5_does(
    mask_rcnn_config,
):
    warm_up = mask_rcnn_config('core_g_coco_75e').param_scheduler[0]

    # A fraction of the run with Meta: 250 of 184375 iterations.
    metas_end = 250 / 184375 * 138281
    assert metas_end == pytest.approx(187.5, abs=1e-3)
    below_one = [t for t in range(300) if t < warm_up.end - 1]
    assert below_one == [t for t in range(300) if t < metas_end]


# Ours have no background row on LVIS: 1024 weights and a bias fewer.
@pytest.mark.parametrize(
    ('name', 'total', 'encoder'),
    [
        ('spatial_g_coco_36e', 1_885_675_376, 1_852_163_584),
        ('core_g_coco_75e', 1_885_521_776, 1_852_009_984),
        ('spatial_g_lvis_75e', 1_891_719_362 - 1025, 1_852_163_584),
        ('core_g_lvis_75e', 1_891_565_762 - 1025, 1_852_009_984),
    ],
)
def test_parameters__built__are_as_many_as_metas(
    mask_rcnn_config, build_on_meta, name, total, encoder
):
    model = build_on_meta(mask_rcnn_config(name))

    assert sum(p.numel() for p in model.parameters()) == total
    assert sum(p.numel() for p in model.backbone.parameters()) == encoder


def test_optimizer__spatial_g__decays_rates_by_layer_and_all_weights(
    mask_rcnn_config, build_on_meta
):
    cfg = mask_rcnn_config('spatial_g_coco_36e')
    model = build_on_meta(cfg)
    # mmengine's mixed precision insists on a GPU.
    kept = ('constructor', 'paramwise_cfg', 'optimizer')
    wrapper = build_optim_wrapper(model, {key: cfg.optim_wrapper[key] for key in kept})
    settings = {
        id(parameter): (group['lr'], group['weight_decay'])
        for group in wrapper.optimizer.param_groups
        for parameter in group['params']
    }

    found = {name: settings[id(p)] for name, p in model.named_parameters()}

    # detectron2's rule: 0.9 ** (51 - layer).
    def layer(name):
        if not name.startswith('backbone.'):
            return 51
        parts = name.split('.')
        return int(parts[2]) + 1 if parts[1] == 'blocks' else 0

    assert {name: lr for name, (lr, _) in found.items()} == pytest.approx(
        {name: 5e-5 * 0.9 ** (51 - layer(name)) for name in found}, rel=1e-12
    )
    assert {wd for _, wd in found.values()} == {0.1}
    assert found['backbone.pos_embed'][0] == pytest.approx(5e-5 * 0.00464, rel=1e-3)
    assert found['backbone.blocks.0.norm1.bias'][0] == pytest.approx(
        5e-5 * 0.00515, rel=1e-3
    )
    assert found['backbone.blocks.49.gamma_2'][0] == pytest.approx(5e-5 * 0.9)


def test_drop_path__blocks__grow_linearly_to_a_half(mask_rcnn_config, build_on_meta):
    blocks = build_on_meta(mask_rcnn_config('spatial_g_coco_36e')).backbone.blocks

    rates = [getattr(block.drop_path, 'drop_prob', 0.0) for block in blocks]
    assert rates == pytest.approx([0.5 * i / 49 for i in range(50)])


def test_windows__blocks__are_global_at_12_24_36_and_49(
    mask_rcnn_config, build_on_meta
):
    encoder = build_on_meta(mask_rcnn_config('core_g_lvis_75e')).backbone

    everywhere = [i for i, windowed in enumerate(encoder.windowed) if not windowed]
    assert everywhere == [12, 24, 36, 49]
    assert encoder.pos_embed.shape == (1, 1024, 1536)
    assert encoder.cls_token is None


def test_norms__heads_and_encoder__have_their_own_eps(mask_rcnn_config, build_on_meta):
    model = build_on_meta(mask_rcnn_config('spatial_g_coco_36e'))

    eps = {
        (name.split('.')[0], module.eps)
        for name, module in model.named_modules()
        if hasattr(module, 'eps')
    }
    assert eps == {('backbone', 1e-5), ('neck', 1e-6), ('roi_head', 1e-6)}


def test_anchors__every_level__are_detectron2s(mask_rcnn_config):
    init_default_scope('mmdet')
    cfg = mask_rcnn_config('spatial_g_coco_36e').model.rpn_head.anchor_generator
    generator = TASK_UTILS.build(cfg)
    maps = [(256, 256), (128, 128), (64, 64), (32, 32), (16, 16)]

    levels = generator.grid_priors(maps, device='cpu')

    for size, stride, found in zip(
        (32, 64, 128, 256, 512), (4, 8, 16, 32, 64), levels, strict=True
    ):
        # Height / width 0.5, 1, 2 at one area, centred on the cells' corners.
        widths = [(size**2 / ratio) ** 0.5 for ratio in (0.5, 1, 2)]
        halves = torch.tensor([[w, size**2 / w] for w in widths]) / 2
        cells = torch.arange(1024 // stride) * float(stride)
        y, x = torch.meshgrid(cells, cells, indexing='ij')
        centres = torch.stack([x, y], dim=-1).reshape(-1, 1, 2)
        expected = torch.cat([centres - halves, centres + halves], dim=2)
        torch.testing.assert_close(found, expected.reshape(-1, 4), rtol=0, atol=1e-3)
