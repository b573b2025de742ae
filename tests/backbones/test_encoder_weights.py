"""Where an encoder's weights come from, and what happens before they have come."""

import pytest
import torch
from mmengine.model import PretrainedInit

from pe_mm import PerceptionEncoder
from pe_mm.checkpoints import CheckpointError

TINY = dict(depth=4, width=32, heads=4, patch_size=8, image_size=32)
TINY_CORE = TINY | dict(pool='attn', final_norm=True, embed_dim=12)


def test_state_dict__saved_and_loaded__gives_the_same_maps(tmp_path) -> None:
    encoder = PerceptionEncoder(TINY).eval()
    torch.save(encoder.state_dict(), tmp_path / 'weights.pth')
    other = PerceptionEncoder(
        TINY,
        init_cfg=dict(type='Pretrained', checkpoint=str(tmp_path / 'weights.pth')),
    ).eval()
    other.init_weights()
    images = torch.randn(1, 3, 32, 32)
    with torch.no_grad():
        assert torch.equal(encoder(images)[0], other(images)[0])
    other.init_weights()
    with torch.no_grad():
        assert torch.equal(encoder(images)[0], other(images)[0])


def test_init_weights__after_loading_by_hand__keeps_the_weights() -> None:
    encoder = PerceptionEncoder(TINY_CORE, with_pooling=True)
    other = PerceptionEncoder(TINY_CORE, with_pooling=True)
    other.load_state_dict(encoder.state_dict())
    other.init_weights()
    for key, value in other.state_dict().items():
        assert torch.equal(value, encoder.state_dict()[key]), key


def test_forward__configured_weights_not_loaded__is_refused() -> None:
    encoder = PerceptionEncoder('PE-Spatial-T16-512', (0,), pretrained=True)
    weights = 'hf://facebook/PE-Spatial-T16-512/PE-Spatial-T16-512.pt'
    with pytest.raises(
        RuntimeError, match=f"'{weights}' are configured but not loaded"
    ):
        encoder(torch.randn(1, 3, 32, 32))
    encoder.load_state_dict(PerceptionEncoder(encoder.variant, (0,)).state_dict())
    assert encoder(torch.randn(1, 3, 32, 32))[0].shape == (1, 192, 2, 2)


@pytest.mark.parametrize('kind', ['mmengine.Pretrained', PretrainedInit])
def test_init_weights__any_spelling_of_pretrained__is_strict(kind) -> None:
    cfg = dict(type=kind, checkpoint='missing.pt')
    encoder = PerceptionEncoder(TINY, init_cfg=cfg)
    with pytest.raises(RuntimeError, match='configured but not loaded'):
        encoder(torch.zeros(1, 3, 32, 32))
    with pytest.raises(CheckpointError, match='missing.pt'):
        encoder.init_weights()


@pytest.mark.parametrize('spoil', ['lacks a key', 'has another shape'])
def test_forward__configured_weights_loaded_in_part__is_refused(spoil) -> None:
    encoder = PerceptionEncoder(TINY, init_cfg=dict(type='Pretrained', checkpoint='w'))
    state_dict = PerceptionEncoder(TINY).state_dict()
    if spoil == 'lacks a key':
        del state_dict['blocks.3.mlp.fc2.weight']
        encoder.load_state_dict(state_dict, strict=False)
    else:
        state_dict['pos_embed'] = torch.zeros(1, 5, 32)
        with pytest.raises(RuntimeError, match='size mismatch'):
            encoder.load_state_dict(state_dict, strict=False)
    with pytest.raises(RuntimeError, match='configured but not loaded'):
        encoder(torch.zeros(1, 3, 32, 32))
