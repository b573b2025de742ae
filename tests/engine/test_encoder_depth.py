"""Encoders are found wherever they are, and tell the depth of their parameters."""

import pytest
import timm
import torch
from mmengine.model import BaseModule, MMDistributedDataParallel
from torch import nn
from torch.distributed.algorithms._checkpoint import checkpoint_wrapper
from torch.distributed.fsdp import FullyShardedDataParallel

from pe_mm import PerceptionEncoder
from pe_mm.engine.encoder_depth import (
    find_encoders,
    named_parameters,
    parameter_depths,
)

VARIANT = dict(depth=2, width=8, heads=1, patch_size=8, image_size=16)


class Model(nn.Module):
    """Modules under names of the caller's choice."""

    def __init__(self, **modules: nn.Module) -> None:
        super().__init__()
        for name, module in modules.items():
            self.add_module(name, module)


class Classifier(Model):
    """mmpretrain's: it only asks its backbone, if that knows."""

    def get_layer_depth(self, param_name):
        raise NotImplementedError


@pytest.fixture
def process_group(tmp_path):
    torch.distributed.init_process_group(
        'gloo', init_method=f'file://{tmp_path}/store', rank=0, world_size=1
    )
    yield
    torch.distributed.destroy_process_group()


def vit(**kwargs):
    """Return timm's ViT of four narrow blocks."""
    size = dict(depth=4, embed_dim=8, num_heads=1, img_size=32)
    return timm.create_model('vit_small_patch16_224', **(size | kwargs))


def layers(encoder):
    """Return the set of (layer, layers below the heads) of each kind of parameter."""
    found = {}
    for name, depth in parameter_depths(encoder).items():
        parts = name.split('.')
        key = '.'.join(parts[:2]) if parts[0] in ('blocks', 'layers') else parts[0]
        found.setdefault(key, set()).add((depth.layer, depth.below_heads))
    return found


@pytest.mark.parametrize('path', ['backbone', 'student.backbone', 'a.b.c.encoder'])
def test_find__encoder_anywhere__is_found_by_its_name(path):
    model = encoder = PerceptionEncoder(VARIANT)
    for part in reversed(path.split('.')):
        model = Model(neck=nn.Linear(1, 1), **{part: model})
    assert find_encoders(model) == {path: encoder}


def test_find__several_encoders__are_all_found():
    model = Model(image=PerceptionEncoder(VARIANT), other=Model(teacher=vit()))
    assert list(find_encoders(model)) == ['image', 'other.teacher']


def test_find__model_that_is_an_encoder__has_no_name():
    encoder = PerceptionEncoder(VARIANT)
    assert find_encoders(encoder) == {'': encoder}


def test_find__encoder_in_an_encoder__belongs_to_the_outer_one():
    with torch.device('meta'):
        hybrid = timm.create_model('vit_small_r26_s32_224', depth=2)
    inner = hybrid.patch_embed.backbone
    assert hasattr(inner, 'group_matcher')
    assert find_encoders(Model(backbone=hybrid)) == {'backbone': hybrid}
    depths = parameter_depths(hybrid)
    assert {
        depth.layer for name, depth in depths.items() if name.startswith('patch_embed')
    } == {0}


def test_find__classifier_that_asks_its_backbone__gives_the_backbone():
    backbone = vit()
    assert find_encoders(Classifier(backbone=backbone)) == {'backbone': backbone}


def test_find__no_encoder__says_what_was_looked_for():
    with pytest.raises(ValueError, match='no encoder in Model .*get_layer_depth.*timm'):
        find_encoders(Model(backbone=nn.Linear(2, 2), module=nn.Linear(2, 2)))


@pytest.mark.parametrize('out_indices, blocks', [('last', 12), ((3,), 4)])
def test_depths__perception_encoder__count_the_blocks_built(out_indices, blocks):
    encoder = PerceptionEncoder(VARIANT | {'depth': 12}, out_indices)
    assert layers(encoder) == {
        name: {(0, blocks + 1)} for name in ('pos_embed', 'patch_embed', 'norm_pre')
    } | {'cls_token': {(0, blocks + 1)}} | {
        f'blocks.{i}': {(i + 1, blocks - i)} for i in range(blocks)
    }


def test_depths__final_norm_and_pooling__are_with_the_heads():
    encoder = PerceptionEncoder(
        VARIANT | {'final_norm': True, 'pool': 'attn', 'embed_dim': 4},
        apply_final_norm=True,
        with_pooling=True,
    )
    found = layers(encoder)
    assert [found[name] for name in ('norm', 'attn_pool', 'head')] == [{(3, 0)}] * 3


@pytest.mark.parametrize('num_classes', [0, 10])
def test_depths__timm_transformer__are_the_same_without_its_classifier(num_classes):
    found = layers(vit(num_classes=num_classes))
    assert found.pop('head', {(5, 0)}) == {(5, 0)}
    # timm counts the final norm as a part of the last block.
    assert found.pop('norm') == {(4, 1)}
    assert found == {
        name: {(0, 5)} for name in ('cls_token', 'pos_embed', 'patch_embed')
    } | {f'blocks.{i}': {(i + 1, 4 - i)} for i in range(4)}


def test_depths__timm_eva__are_those_of_its_blocks():
    model = timm.create_model(
        'eva02_tiny_patch14_224',
        depth=3,
        embed_dim=24,
        num_heads=1,
        img_size=28,
        num_classes=2,
    )
    found = layers(model)
    assert found['pos_embed'] == {(0, 4)}
    assert [found[f'blocks.{i}'] for i in range(3)] == [{(1, 3)}, {(2, 2)}, {(3, 1)}]
    assert found['head'] == found['fc_norm'] == {(4, 0)}


def test_depths__timm_model_with_a_function_as_matcher__are_its_own():
    with torch.device('meta'):
        model = timm.create_model(
            'cait_xxs24_224', depth=3, embed_dim=8, num_heads=1, num_classes=0
        )
    found = layers(model)
    assert found['pos_embed'] == {(0, 4)}
    assert found['blocks.2'] == {(3, 1)}


def test_depths__timm_swin_without_classifier__end_one_below_the_heads():
    with torch.device('meta'):
        model = timm.create_model('swin_tiny_patch4_window7_224', num_classes=0)
    depths = parameter_depths(model)
    assert depths['patch_embed.proj.weight'].below_heads == 13
    assert depths['layers.2.blocks.5.mlp.fc1.weight'].below_heads == 3
    assert depths['layers.3.blocks.1.mlp.fc1.weight'].below_heads == 1


def test_depths__features_of_a_timm_transformer__count_the_blocks_kept():
    features = timm.create_model(
        'vit_small_patch16_224',
        features_only=True,
        out_indices=(1,),
        depth=4,
        embed_dim=8,
        num_heads=1,
    )
    ((name, encoder),) = find_encoders(Model(timm_model=features)).items()
    assert name == 'timm_model.model'
    assert layers(encoder)['blocks.1'] == {(2, 1)}


class Wrong(BaseModule):
    """An encoder that counts its layers wrongly."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 1, 1)

    def get_layer_depth(self, param_name, prefix=''):
        return 3, 3


def test_depths__layer_beyond_the_last__is_refused():
    with pytest.raises(ValueError, match=r"Wrong puts 'conv.weight' in layer 3 of 3"):
        parameter_depths(Wrong())


def wrap_backbone(wrapper):
    def wrap(model):
        model.backbone = wrapper(model.backbone)
        return model

    return wrap


def wrap_block(wrapper):
    def wrap(model):
        model.backbone.blocks[1] = wrapper(model.backbone.blocks[1])
        return model

    return wrap


def fsdp(module):
    cpu = torch.device('cpu')
    return FullyShardedDataParallel(module, use_orig_params=True, device_id=cpu)


def ddp_of_compiled(module):
    return MMDistributedDataParallel(torch.compile(module))


WRAPPERS = {
    'ddp': MMDistributedDataParallel,
    'compiled': torch.compile,
    'compiled backbone': wrap_backbone(torch.compile),
    'ddp of compiled': ddp_of_compiled,
    'ddp backbone': wrap_backbone(MMDistributedDataParallel),
    'fsdp': fsdp,
    'fsdp backbone': wrap_backbone(fsdp),
    'fsdp block': wrap_block(fsdp),
    'checkpointed block': wrap_block(checkpoint_wrapper.checkpoint_wrapper),
    'compiled block': wrap_block(torch.compile),
}


@pytest.mark.filterwarnings('ignore:FSDP is switching:UserWarning')
@pytest.mark.parametrize('encoder', ['pe', 'timm'])
@pytest.mark.parametrize('wrapper', WRAPPERS)
def test_names_and_depths__wrapped__are_those_of_the_model(
    wrapper, encoder, process_group
):
    def build():
        backbone = PerceptionEncoder(VARIANT) if encoder == 'pe' else vit()
        return Model(backbone=backbone, head=nn.Linear(2, 2))

    plain, wrapped = build(), WRAPPERS[wrapper](build())
    names = [name for name, _, _ in named_parameters(wrapped)]
    assert names == [name for name, _ in plain.named_parameters()]
    ((name, found),) = find_encoders(wrapped).items()
    assert (name, type(found)) == ('backbone', type(plain.backbone))
    assert parameter_depths(found) == parameter_depths(plain.backbone)


def test_names__submodule_called_module__keep_it():
    model = Model(module=nn.Linear(1, 1), head=nn.Linear(1, 1))
    names = [name for name, _, _ in named_parameters(model)]
    assert names == ['module.weight', 'module.bias', 'head.weight', 'head.bias']


def test_names__shared_parameter__is_listed_once():
    first, second = nn.Linear(1, 1), nn.Linear(1, 1)
    second.weight = first.weight
    model = Model(first=first, second=second, again=first)
    names = [name for name, _, _ in named_parameters(model)]
    assert names == ['first.weight', 'first.bias', 'second.bias']
