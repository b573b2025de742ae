"""Encoders to keep: fp16, small, with a card that says what they are."""

import hashlib
import json

import pytest
import torch
from mmengine.config import Config

from pe_mm import PerceptionEncoder
from pe_mm.checkpoints import CheckpointError, load_encoder_weights
from pe_mm.engine.run_report import file_sha256
from pe_mm.nano import weights
from pe_mm.nano.steps import CONFIGS
from pe_mm.nano.weights import CARD, MAX_MEGABYTES, export_weights

KEPT = CONFIGS / 'weights'

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


@pytest.mark.parametrize('name', json.loads((KEPT / CARD).read_text()))
def test_kept_weights__are_what_their_card_says(name, monkeypatch):
    entry = json.loads((KEPT / CARD).read_text())[name]
    monkeypatch.chdir(CONFIGS.resolve().parents[1])
    model = Config.fromfile(entry['config']).model
    encoder = model.get('backbone') or model.image_encoder

    assert file_sha256(KEPT / name) == entry['sha256']
    assert (KEPT / name).stat().st_size < MAX_MEGABYTES * 1e6
    assert encoder.variant == entry['encoder']
    load_encoder_weights(PerceptionEncoder(entry['encoder']), KEPT / name)


def test_kept_weights__are_all_in_the_card():
    files = {path.name for path in KEPT.glob('*.safetensors')}
    assert files == set(json.loads((KEPT / CARD).read_text()))
