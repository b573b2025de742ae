"""The encoder's matrices go to Muon, everything else to AdamW."""

import pytest
import torch
from mmengine.optim import build_optim_wrapper
from torch import nn

from pe_mm import PerceptionEncoder

CFG = dict(
    type='OptimWrapper',
    constructor='pe_mm.MuonOptimWrapperConstructor',
    optimizer=dict(type='timm.optim.Muon', lr=0.01, fallback_lr_scale=0.1),
)


class Detector(nn.Module):
    """An encoder and a head, as in a detector."""

    def __init__(self, freeze: bool | int = False) -> None:
        super().__init__()
        variant = dict(depth=2, width=16, heads=2, patch_size=8, image_size=16)
        self.backbone = PerceptionEncoder(variant, freeze=freeze)
        self.head = nn.Linear(16, 3)


def test_groups__detector__are_the_blocks_matrices_and_the_rest() -> None:
    model = Detector(freeze=1)
    names = {id(p): name for name, p in model.named_parameters()}
    muon, adamw = build_optim_wrapper(model, CFG).optimizer.param_groups
    assert [names[id(p)] for p in muon['params']] == [
        f'backbone.blocks.1.{name}.weight'
        for name in ('attn.qkv', 'attn.proj', 'mlp.fc1', 'mlp.fc2')
    ]
    assert adamw['use_fallback']
    assert {id(p) for group in (muon, adamw) for p in group['params']} == {
        id(p) for p in model.parameters() if p.requires_grad
    }


def test_update__matrix__is_torchs_muon_and_others_move_like_adamw() -> None:
    model = Detector()
    wrapper = build_optim_wrapper(model, CFG)
    matrix, bias = model.backbone.blocks[0].attn.proj.weight, model.head.bias
    before, bias_before = matrix.detach().clone(), bias.detach().clone()
    reference = nn.Parameter(before.clone())
    matrix.grad = reference.grad = torch.randn(16, 16)
    bias.grad = torch.randn(3)
    wrapper.step()
    torch.optim.Muon(
        [reference],
        lr=0.01,
        weight_decay=0,
        nesterov=False,
        adjust_lr_fn='match_rms_adamw',
    ).step()
    step, wanted = matrix.detach() - before, reference.detach() - before
    # The two end their iterations at other points; AdamW's has a cosine of 0.64.
    assert torch.cosine_similarity(step.flatten(), wanted.flatten(), dim=0) > 0.95
    # AdamW's first step is its learning rate in every entry.
    moved = (bias_before - bias.detach()).abs()
    torch.testing.assert_close(moved, torch.full((3,), 0.01 * 0.1), rtol=0.01, atol=0)


def test_state__saved_and_loaded__continues_the_same(tmp_path) -> None:
    wrapper = build_optim_wrapper(Detector(), CFG)
    torch.save(wrapper.state_dict(), tmp_path / 'optimizer.pth')
    other = build_optim_wrapper(Detector(), CFG)
    other.load_state_dict(torch.load(tmp_path / 'optimizer.pth', weights_only=True))
    assert other.optimizer.param_groups[1]['use_fallback']


def test_build__model_without_encoder__says_what_to_use() -> None:
    with pytest.raises(ValueError, match='no trainable block of .*AdamW'):
        build_optim_wrapper(nn.Linear(2, 2), CFG)
    with pytest.raises(ValueError, match='no trainable block'):
        build_optim_wrapper(Detector(freeze=True), CFG)


def test_groups__patch_kernel__is_muons_too_unless_frozen() -> None:
    cfg = CFG | {'paramwise_cfg': {'patch_kernel': True}}
    for freeze, count in ((False, 9), (1, 4)):
        model = Detector(freeze=freeze)
        muon, adamw = build_optim_wrapper(model, cfg).optimizer.param_groups
        kernel = model.backbone.patch_embed.proj.weight
        assert len(muon['params']) == count
        assert (muon['params'][-1] is kernel) == kernel.requires_grad
        assert {id(p) for group in (muon, adamw) for p in group['params']} == {
            id(p) for p in model.parameters() if p.requires_grad
        }


def test_update__patch_kernel__is_orthogonal_as_a_matrix() -> None:
    model = Detector()
    cfg = CFG | {'paramwise_cfg': {'patch_kernel': True}}
    wrapper = build_optim_wrapper(model, cfg)
    kernel = model.backbone.patch_embed.proj.weight
    before = kernel.detach().clone()
    kernel.grad = torch.randn_like(kernel)
    wrapper.step()
    step = (kernel.detach() - before).flatten(1)
    values = torch.linalg.svdvals(step)
    # Muon's iterations leave singular values within about 0.7 to 1.2 of each other.
    assert values.min() > 0.5 * values.max() > 0


@pytest.mark.parametrize('given', [{'norm_decay_mult': 0}, {'patch_kernel': 1}])
def test_build__other_paramwise_cfg__says_what_there_is(given) -> None:
    with pytest.raises(ValueError, match=r'left out or be dict\(patch_kernel=True'):
        build_optim_wrapper(Detector(), CFG | {'paramwise_cfg': given})
