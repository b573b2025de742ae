from types import SimpleNamespace

import pytest
import torch
from image_text_models import TEXT

from pe_mm.contrastive.text_encoder import build_text_encoder, to_token_ids


def test_build_text_encoder__fields__are_open_clips():
    encoder, tokenizer = build_text_encoder(TEXT, output_dim=8)
    assert encoder.vocab_size == tokenizer.vocab_size == 49408
    assert encoder.positional_embedding.shape == (16, 16)
    assert encoder.text_projection.shape == (16, 8)
    assert encoder(tokenizer(['a cat'])).shape == (1, 8)


@pytest.mark.parametrize(
    ('fields', 'message'),
    [
        (dict(TEXT, size=3), r"unknown \['size'\]; .* allowed are .*with_cp"),
        (dict(width=16), r"missing \['context_length', 'heads', 'layers'\]"),
        (dict(TEXT, layers=0), 'text_encoder: layers must be an int >= 1, got 0'),
        (dict(TEXT, heads=3), 'width 16 is no multiple of its 3 heads'),
        (dict(TEXT, output_dim=4), 'output_dim=4, but the image tower embeds in 8'),
        (dict(TEXT, vocab_size=100), 'vocab_size=100 is less than the 49408 tokens'),
    ],
)
def test_build_text_encoder__bad_fields__says_what_is_allowed(fields, message):
    with pytest.raises(ValueError, match=message):
        build_text_encoder(fields, output_dim=8)


def test_build_text_encoder__no_open_clip__says_how_to_install_it(monkeypatch):
    monkeypatch.setitem(__import__('sys').modules, 'open_clip.tokenizer', None)
    with pytest.raises(ImportError, match=r"pip install 'pe_mm\[train\]'"):
        build_text_encoder(TEXT, output_dim=8)


@pytest.mark.parametrize('texts', ['a cat', ['a', 3]])
def test_to_token_ids__no_texts__says_so(texts):
    with pytest.raises(ValueError, match='must be a list of str or a tensor'):
        to_token_ids(texts, lambda texts: texts, torch.device('cpu'))


@pytest.mark.parametrize(
    'ids', [torch.tensor([1, 2]), torch.zeros(3, 4), torch.ones(3, 17).long()]
)
def test_to_token_ids__no_ids_or_too_many__says_so(ids):
    with pytest.raises(ValueError, match='must be integers .* length at most 16; got'):
        to_token_ids(ids, SimpleNamespace(context_length=16), torch.device('cpu'))
