"""What mmengine's loading of whole models neither checks nor leaves out."""

import pytest
import torch
from mmengine.model import BaseModel, PretrainedInit
from mmengine.registry import MODELS
from torch import nn

from helpers import golden, golden_variant
from pe_mm.backbones import PerceptionEncoder
from pe_mm.checkpoints import CheckpointError
from pe_mm.checkpoints.mmengine_loading import (
    check_covers_backbone,
    is_pretrained,
    pretrained_cfg,
    resolve_init_cfg,
    skip_pretrained,
)
from pe_mm.checkpoints.rename_rules import meta_to_ours
from pe_mm.variants import VARIANTS, Variant

CONFIG, META, _ = golden('spatial_nocls_layerscale')
VARIANT = golden_variant(CONFIG)
OURS = meta_to_ours(META).tensors
MODEL = {f'backbone.{key}': tensor for key, tensor in OURS.items()}
MODEL['head.weight'] = torch.zeros(2, 2)


@pytest.mark.parametrize('prefix', ['', 'module.'])
@pytest.mark.parametrize('wrap', [dict, lambda state: {'state_dict': state}])
def test_check__checkpoint_of_the_model__is_fine(prefix, wrap) -> None:
    check_covers_backbone(wrap({prefix + key: t for key, t in MODEL.items()}), MODEL)


def test_check__part_of_the_backbone__is_fine() -> None:
    key = 'backbone.norm_pre.bias'
    check_covers_backbone({key: MODEL[key]}, MODEL)


def test_check__model_without_backbone__is_fine() -> None:
    check_covers_backbone(META, {'linear.weight': torch.zeros(1)})


@pytest.mark.parametrize(
    ('checkpoint', 'found'),
    [
        (META, 'a Perception Encoder alone'),
        ({'state_dict': OURS}, 'a Perception Encoder alone'),
        ({f'visual.{key}': t for key, t in META.items()}, "Encoder under 'visual.'"),
        ({'head.weight': torch.zeros(2, 2)}, 'weights of another model'),
        ({}, 'weights of another model'),
    ],
)
def test_check__nothing_for_the_backbone__says_how_to_load_it(
    checkpoint, found
) -> None:
    match = rf"{found}, and none .* backbone\.\*; .*init_cfg=dict\(type='Pretrained'"
    with pytest.raises(CheckpointError, match=match):
        check_covers_backbone(checkpoint, MODEL)


def test_check__names_of_the_model_with_other_shapes__is_an_error() -> None:
    other = {key: torch.zeros(*tensor.shape, 2) for key, tensor in MODEL.items()}
    with pytest.raises(CheckpointError, match="none of the model's 88 weights"):
        check_covers_backbone(other, MODEL)


class Detector(BaseModel):
    def __init__(self, backbone, init_cfg=None) -> None:
        super().__init__(init_cfg=init_cfg)
        self.backbone = MODELS.build(backbone)

    def forward(self, inputs):
        raise NotImplementedError


@pytest.mark.parametrize('kind', ['Pretrained', PretrainedInit])
def test_skip_pretrained__missing_file__is_not_asked_for(kind) -> None:
    missing = {'type': kind, 'checkpoint': 'no.pt'}
    backbone = {'type': 'pe_mm.PerceptionEncoder', 'variant': VARIANT}
    config = backbone | {'init_cfg': missing}
    with pytest.raises(CheckpointError, match=r'no checkpoint no\.pt'):
        Detector(config).init_weights()
    model = Detector(config, init_cfg=missing)
    skip_pretrained(model)
    model.init_weights()
    assert config['init_cfg'] == missing
    # What is loaded then counts as the configured weights.
    model.load_state_dict(MODEL, strict=False)
    model.backbone(torch.zeros(1, 3, 28, 28))


def test_skip_pretrained__official_weights__are_not_downloaded() -> None:
    with torch.device('meta'):
        encoder = PerceptionEncoder('PE-Spatial-T16-512', pretrained=True)
    skip_pretrained(encoder)
    assert encoder.init_cfg is None


def test_skip_pretrained__other_initialisations__stay() -> None:
    constant = {'type': 'Constant', 'val': 3.0, 'layer': 'LayerNorm'}
    pretrained = {'type': 'Pretrained', 'checkpoint': 'no.pt'}
    model = Detector(
        {'type': 'pe_mm.PerceptionEncoder', 'variant': VARIANT},
        init_cfg=[constant, pretrained],
    )
    skip_pretrained(nn.Sequential(model))
    model.init_weights()
    assert model.init_cfg == [constant]
    assert (model.backbone.norm_pre.weight == 3).all()


@pytest.mark.parametrize('kind', ['Pretrained', 'mmengine.Pretrained', PretrainedInit])
def test_is_pretrained__any_spelling__is_recognised(kind) -> None:
    assert is_pretrained({'type': kind, 'checkpoint': 'weights.pt'})


@pytest.mark.parametrize('cfg', [None, {}, {'type': 'Kaiming'}, {'type': 'NoSuchInit'}])
def test_is_pretrained__something_else__is_not(cfg) -> None:
    assert not is_pretrained(cfg)


LOADING = {'type': 'Pretrained', 'checkpoint': 'weights.pt'}
CONSTANT = {'type': 'Constant', 'val': 1.0, 'layer': 'Linear'}
OFFICIAL = VARIANTS['PE-Spatial-T16-512']
CUSTOM = Variant(depth=1, width=16, heads=1)


@pytest.mark.parametrize(
    ('init_cfg', 'found'),
    [
        (None, None),
        (LOADING, LOADING),
        (CONSTANT, None),
        ([CONSTANT, LOADING], LOADING),
        ([], None),
    ],
)
def test_pretrained_cfg__config_or_list__is_the_part_that_loads(
    init_cfg, found
) -> None:
    assert pretrained_cfg(init_cfg) is found


@pytest.mark.parametrize('init_cfg', [None, LOADING, CONSTANT, [CONSTANT], []])
def test_resolve_init_cfg__not_pretrained__is_the_config_itself(init_cfg) -> None:
    assert resolve_init_cfg(CUSTOM, False, init_cfg) is init_cfg


def test_resolve_init_cfg__pretrained__names_the_official_weights() -> None:
    assert resolve_init_cfg(OFFICIAL, True, None) == {
        'type': 'Pretrained',
        'checkpoint': 'hf://facebook/PE-Spatial-T16-512/PE-Spatial-T16-512.pt',
    }


@pytest.mark.parametrize(
    ('variant', 'pretrained', 'init_cfg', 'message'),
    [
        (OFFICIAL, 1, None, 'pretrained must be True or False, got 1'),
        (OFFICIAL, False, 'weights.pt', "init_cfg must be a dict .* got 'weights.pt'"),
        (OFFICIAL, False, {'type': 'Pretrained'}, 'one dict with a checkpoint, got'),
        (OFFICIAL, False, [LOADING], 'one dict with a checkpoint, got .*nothing else'),
        (OFFICIAL, True, CONSTANT, 'both say where weights come from; pass one'),
        (CUSTOM, True, None, 'needs an official variant, a custom one has no weights'),
    ],
)
def test_resolve_init_cfg__bad_option__says_what_is_allowed(
    variant, pretrained, init_cfg, message
) -> None:
    with pytest.raises(ValueError, match=message):
        resolve_init_cfg(variant, pretrained, init_cfg)
