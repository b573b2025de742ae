"""The converted detector gives detectron2's boxes, scores, classes and masks.

The golden detections come from detectron2 run with a RoIAlign that reads maps as if
they were contiguous, while its pyramid levels are channels-last in memory. Released
weights were trained with torchvision's, which makes maps contiguous first, as our necks
do. For the comparison the test hands RoIAlign what it read there; all before it, the
proposals among it, needs no such thing.
"""

import copy

import numpy as np
import pytest
import torch
from detectron2_models import (
    SMALL,
    SMALL_HEADS,
    golden_detector,
    shapes,
    small_config,
)
from detectron2_reference import detect
from mmdet.structures import DetDataSample
from mmdet.utils import register_all_modules
from mmengine.registry import MODELS

from helpers import golden, image, seeded
from pe_mm.checkpoints import convert_detectron2

register_all_modules(init_default_scope=False)


def as_misread(_, arguments):
    """Return a map's channels-last memory in the shape of the map."""
    level, rois = arguments
    return level.permute(0, 2, 3, 1).contiguous().view(level.shape), rois


@pytest.fixture(scope='module')
def golden_case():
    """Return the converted detector, its input and the golden arrays."""
    cfg, state, arrays = golden_detector()
    model = MODELS.build(dict(cfg, _scope_='mmdet')).eval()
    model.load_state_dict(convert_detectron2({'model': state}).tensors, strict=True)
    sample = DetDataSample(
        metainfo=dict(
            img_shape=(96, 128), ori_shape=(192, 256), scale_factor=(0.5, 0.5)
        )
    )
    # mmdet reads BGR; the preprocessor turns it round.
    picture = torch.from_numpy(arrays.pop('image')).flip(0)
    data = {'inputs': [picture], 'data_samples': [sample]}
    return model, data, {key: torch.from_numpy(array) for key, array in arrays.items()}


@pytest.fixture(scope='module')
def features(golden_case):
    """Return the preprocessed samples and the pyramid."""
    model, data, _ = golden_case
    batch = model.data_preprocessor(copy.deepcopy(data))
    assert batch['inputs'].shape == (1, 3, 128, 128)
    with torch.no_grad():
        return batch['data_samples'], model.extract_feat(batch['inputs'])


@pytest.fixture
def misreading_roi_align(golden_case):
    """Let RoIAlign read what it read when the golden detections were made."""
    roi_head = golden_case[0].roi_head
    extractors = (roi_head.bbox_roi_extractor, roi_head.mask_roi_extractor)
    handles = [
        layer.register_forward_pre_hook(as_misread)
        for extractor in extractors
        for layer in extractor.roi_layers
    ]
    yield
    for handle in handles:
        handle.remove()


def test_detector__golden_image__has_its_pyramid(golden_case, features) -> None:
    expected = golden_case[2]['p4']
    limit = 1e-4 * expected.abs().max().item()
    torch.testing.assert_close(features[1][2], expected, atol=limit, rtol=0)


def test_detector__golden_image__has_its_proposals(golden_case, features) -> None:
    model, _, golden = golden_case
    samples, levels = features
    with torch.no_grad():
        (found,) = model.rpn_head.predict(levels, samples, rescale=False)
    assert found.bboxes.shape == (689, 4)
    torch.testing.assert_close(found.bboxes, golden['proposals'], atol=0.01, rtol=0)
    expected = golden['logits'].sigmoid()
    torch.testing.assert_close(found.scores, expected, atol=1e-5, rtol=0)


@pytest.mark.usefixtures('misreading_roi_align')
def test_detector__golden_image__has_its_detections_in_the_resized_image(
    golden_case, features
) -> None:
    model, _, golden = golden_case
    samples, levels = features
    with torch.no_grad():
        proposals = model.rpn_head.predict(levels, samples, rescale=False)
        metas = [sample.metainfo for sample in samples]
        (found,) = model.roi_head.predict_bbox(
            levels, metas, proposals, model.roi_head.test_cfg
        )
        rois = torch.cat([torch.zeros(len(found), 1), found.bboxes], dim=1)
        logits = model.roi_head._mask_forward(levels, rois)['mask_preds']
    masks = logits[range(len(found)), found.labels].sigmoid()
    assert len(found) == 100
    # detectron2 scales boxes in place: its array holds the rescaled ones.
    torch.testing.assert_close(2 * found.bboxes, golden['boxes'], atol=0.01, rtol=0)
    torch.testing.assert_close(found.scores, golden['scores'], atol=1e-5, rtol=0)
    assert torch.equal(found.labels, golden['classes'])
    expected = golden['mask28'][:, 0].float()
    torch.testing.assert_close(masks, expected, atol=1e-3, rtol=0)


@pytest.mark.usefixtures('misreading_roi_align')
def test_detector__golden_image__has_its_final_detections(golden_case) -> None:
    model, data, golden = golden_case
    with torch.no_grad():
        found = model.test_step(copy.deepcopy(data))[0].pred_instances
    assert found.masks.shape == (100, 192, 256)
    torch.testing.assert_close(found.bboxes, golden['final_boxes'], atol=0.01, rtol=0)
    torch.testing.assert_close(found.scores, golden['final_scores'], atol=1e-5, rtol=0)
    assert torch.equal(found.labels, golden['classes'])
    # At most one pixel more or less.
    areas = found.masks.sum(dim=(1, 2))
    torch.testing.assert_close(areas, golden['mask_area'].long(), atol=1, rtol=0)


def test_roi_align__ramps_in_place_of_levels__pool_to_the_centres_of_proposals(
    golden_case, features
) -> None:
    model, _, golden = golden_case
    rois = torch.cat([torch.zeros(689, 1), golden['proposals']], dim=1)
    ramps = [torch.empty_like(level) for level in features[1][:4]]
    for ramp, stride in zip(ramps, (4, 8, 16, 32), strict=True):
        ramp[:] = (torch.arange(ramp.shape[-1]) + 0.5) * stride
    pooled = model.roi_head.bbox_roi_extractor(ramps, rois).mean(dim=(1, 2, 3))
    # Beyond the centres of the outermost cells the ramps are flat.
    inside = (rois[:, 1] > 16) & (rois[:, 3] < 112)
    assert inside.sum() > 200
    centres = (rois[:, 1] + rois[:, 3]) / 2
    torch.testing.assert_close(pooled[inside], centres[inside], atol=0.01, rtol=0)


def test_backbone_and_neck__golden_image__give_the_golden_pyramid() -> None:
    cfg, _, _ = golden_detector()
    told, state, arrays = golden('vitdet_window4')
    state = {f'backbone.{key}': tensor for key, tensor in state.items()}
    heads = shapes(classes=5, layer_scale=True, federated=False, channels=32, fc=8)
    state |= {
        key: torch.zeros(shape)
        for key, shape in heads.items()
        if not key.startswith('backbone.')
    }
    converted = convert_detectron2(state).tensors
    cfg.neck.out_channels = 32
    backbone, neck = MODELS.build(cfg.backbone).eval(), MODELS.build(cfg.neck).eval()
    for module, prefix in ((backbone, 'backbone.'), (neck, 'neck.')):
        tensors = {
            key.removeprefix(prefix): tensor
            for key, tensor in converted.items()
            if key.startswith(prefix)
        }
        module.load_state_dict(tensors, strict=True)
    with torch.no_grad():
        levels = neck(backbone(image((2, 3, *told['size']), told['image_seed'])))
    for i, level in enumerate(levels):
        expected = torch.from_numpy(arrays[f'out/p{i + 2}'])
        limit = 1e-4 * expected.abs().max().item()
        torch.testing.assert_close(level, expected, atol=limit, rtol=0)


@pytest.mark.parametrize(
    ('name', 'seed', 'size', 'output_size'),
    [
        ('spatial_g_coco_36e', 11, (96, 128), (192, 256)),
        ('spatial_g_coco_36e', 12, (128, 75), (301, 177)),
        ('core_g_coco_75e', 13, (128, 128), (100, 100)),
        ('spatial_g_lvis_75e', 14, (96, 128), (192, 256)),
        ('core_g_lvis_75e', 15, (61, 128), (61, 128)),
    ],
)
def test_detector__other_seeds_images_and_heads__equals_the_plain_reference(
    name, seed, size, output_size
) -> None:
    lvis, layer_scale = 'lvis' in name, 'spatial' in name
    table = shapes(
        classes=9,
        layer_scale=layer_scale,
        federated=lvis,
        **SMALL,
        **SMALL_HEADS,
    )
    state = {key: seeded(key, shape, seed) for key, shape in table.items()}
    for key in state:
        if 'anchor_deltas' in key or 'bbox_pred' in key:
            state[key] *= 0.2
    cfg = small_config(f'mask_rcnn_pe_{name}', classes=9, layer_scale=layer_scale)
    model = MODELS.build(dict(cfg.model, _scope_='mmdet')).eval()
    model.load_state_dict(convert_detectron2(state).tensors, strict=True)
    rng = np.random.default_rng(seed)
    picture = torch.from_numpy(rng.integers(0, 256, (3, *size), dtype=np.uint8))
    scale = (size[1] / output_size[1], size[0] / output_size[0])
    sample = DetDataSample(
        metainfo=dict(img_shape=size, ori_shape=output_size, scale_factor=scale)
    )
    data = {'inputs': [picture], 'data_samples': [sample]}
    with torch.no_grad():
        batch = model.data_preprocessor(copy.deepcopy(data))
        levels = model.extract_feat(batch['inputs'])
        (proposals,) = model.rpn_head.predict(levels, batch['data_samples'])
        found = model.test_step(data)[0].pred_instances
        expected = detect(
            state,
            levels,
            size,
            output_size,
            sigmoid=lvis,
            score_threshold=0.02 if lvis else 0.05,
            top=300 if lvis else 100,
        )
    torch.testing.assert_close(
        proposals.bboxes, expected['proposals'], atol=0.01, rtol=0
    )
    logits = expected['logits'].sigmoid()
    torch.testing.assert_close(proposals.scores, logits, atol=1e-5, rtol=0)
    assert len(found) == (300 if lvis else 100)
    torch.testing.assert_close(found.bboxes, expected['boxes'], atol=0.01, rtol=0)
    torch.testing.assert_close(found.scores, expected['scores'], atol=1e-5, rtol=0)
    assert torch.equal(found.labels, expected['classes'])
    assert found.masks.shape == expected['masks'].shape
    # A pixel at the threshold may fall on either side.
    assert (found.masks != expected['masks']).sum() <= 20
