"""Parts that weights may lack: LayerScale by a stated option, the mask token."""

import pytest
import torch

from pe_mm import PerceptionEncoder
from pe_mm.checkpoints import CheckpointError, load_encoder_weights

PLAIN = {'depth': 2, 'width': 16, 'heads': 2, 'patch_size': 4, 'image_size': 8}
SCALED = {**PLAIN, 'layer_scale': 0.1}


def test_layer_scale__weights_without__is_an_error_unless_it_shall_be_new():
    encoder, weights = PerceptionEncoder(SCALED), PerceptionEncoder(PLAIN).state_dict()

    with pytest.raises(CheckpointError, match=r'4 missing: blocks.0.gamma_1'):
        load_encoder_weights(encoder, weights)
    report = load_encoder_weights(encoder, weights, new_layer_scale=True)

    scales = {f'blocks.{i}.gamma_{k}' for i in (0, 1) for k in (1, 2)}
    assert set(report.added) == scales
    assert report.loaded == len(weights)
    assert 'added 4 (LayerScale, new by new_layer_scale)' in str(report)
    for name, tensor in encoder.state_dict().items():
        wanted = torch.full((16,), 0.1) if name in scales else weights[name]
        assert torch.equal(tensor, wanted)


def test_new_layer_scale__weights_with_it__are_loaded_completely():
    source = PerceptionEncoder(SCALED)
    source.blocks[0].gamma_1.data.fill_(0.7)
    encoder = PerceptionEncoder(SCALED)

    report = load_encoder_weights(encoder, source.state_dict(), new_layer_scale=True)
    assert report.added == {}
    assert (encoder.blocks[0].gamma_1 == 0.7).all()

    incomplete = source.state_dict()
    del incomplete['blocks.1.gamma_2']
    with pytest.raises(CheckpointError, match=r'1 missing: blocks.1.gamma_2'):
        load_encoder_weights(encoder, incomplete, new_layer_scale=True)


def test_init_cfg__new_layer_scale__is_passed_on(tmp_path):
    torch.save(PerceptionEncoder(PLAIN).state_dict(), tmp_path / 'core.pth')
    cfg = {'type': 'Pretrained', 'checkpoint': str(tmp_path / 'core.pth')}

    with pytest.raises(CheckpointError, match='gamma_1'):
        PerceptionEncoder(SCALED, init_cfg=cfg).init_weights()
    PerceptionEncoder(SCALED, init_cfg={**cfg, 'new_layer_scale': True}).init_weights()


def test_mask_token__trained_or_absent__is_loaded_or_kept():
    source = PerceptionEncoder(PLAIN, with_mask_token=True)
    encoder = PerceptionEncoder(PLAIN, with_mask_token=True)
    own = encoder.mask_token.detach().clone()

    report = load_encoder_weights(encoder, PerceptionEncoder(PLAIN).state_dict())
    assert list(report.added) == ['mask_token']
    assert torch.equal(encoder.mask_token, own)

    report = load_encoder_weights(encoder, source.state_dict())
    assert report.added == {}
    assert torch.equal(encoder.mask_token, source.mask_token)
