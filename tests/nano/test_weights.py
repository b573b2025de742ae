"""Encoders to keep: fp16, small, with a card that says what they are."""

import hashlib
import json

import pytest
import torch

from pe_mm import PerceptionEncoder
from pe_mm.checkpoints import CheckpointError, load_encoder_weights
from pe_mm.nano import weights
from pe_mm.nano.weights import export_weights

TINY = dict(depth=2, width=32, heads=2, patch_size=8, image_size=32)


@pytest.fixture
def checkpoint(tmp_path):
    encoder = PerceptionEncoder(TINY, with_mask_token=True)
    state = {f'backbone.{name}': value for name, value in encoder.state_dict().items()}
    torch.save({'state_dict': state}, tmp_path / 'epoch_1.pth')
    return tmp_path / 'epoch_1.pth', encoder


def test_export__encoder__loads_with_the_rounded_values(checkpoint, tmp_path):
    path, encoder = checkpoint
    target = tmp_path / 'kept' / 'nano.safetensors'
    entry = export_weights(path, target, prefix='backbone.', facts={'seed': 3})

    loaded = PerceptionEncoder(TINY)
    load_encoder_weights(loaded, target)
    for name, value in loaded.state_dict().items():
        assert torch.equal(value, encoder.state_dict()[name].half().float()), name
    assert entry['sha256'] == hashlib.sha256(target.read_bytes()).hexdigest()
    assert json.loads((tmp_path / 'kept' / 'weights.json').read_text()) == {
        'nano.safetensors': entry
    }
    assert entry['seed'] == 3


def test_export__second_file__keeps_the_first_ones_entry(checkpoint, tmp_path):
    path, _ = checkpoint
    for name in ('a.safetensors', 'b.safetensors'):
        export_weights(path, tmp_path / name, prefix='backbone.', facts={})

    card = json.loads((tmp_path / 'weights.json').read_text())
    assert list(card) == ['a.safetensors', 'b.safetensors']


def test_export__too_large__is_not_written(checkpoint, tmp_path, monkeypatch):
    path, _ = checkpoint
    monkeypatch.setattr(weights, 'MAX_MEGABYTES', 0.01)
    with pytest.raises(CheckpointError, match=r'MB in fp16 are more than the 0.01 MB'):
        export_weights(path, tmp_path / 'a.safetensors', prefix='backbone.', facts={})
    assert not (tmp_path / 'a.safetensors').exists()
