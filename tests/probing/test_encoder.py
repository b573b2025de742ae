"""The frozen encoder of a sweep: rounded maps, and hashes of what they depend on."""

from dataclasses import replace

import pytest
import torch
from probing_sweeps import planted

from pe_mm import PerceptionEncoder
from pe_mm.engine.encoder_loading import load_encoder
from pe_mm.probing.encoder import FrozenEncoder

NAME = 'timm/test_vit.r160_in1k'


def test_call__images__are_normalised_and_maps_rounded():
    loaded = load_encoder(NAME, layers=(1, 3))
    encoder = FrozenEncoder(loaded, label='small', dtype='bfloat16')
    images = torch.randint(0, 256, (2, 3, 32, 48), dtype=torch.uint8)
    maps = encoder(images)
    with torch.no_grad():
        wanted = loaded.encoder((images - 127.5) / 127.5)
    assert list(maps) == [1, 3]
    for map_, want in zip(maps.values(), wanted, strict=True):
        assert torch.equal(map_, want.bfloat16())
    assert (encoder.label, encoder.num_layers, encoder.tokens(32, 49)) == (
        'small',
        6,
        (2, 4),
    )
    assert encoder.weights is None


def test_fingerprints__only_what_a_layer_depends_on__changes_them():
    deep = FrozenEncoder(load_encoder(NAME, layers=(1, 3)))
    before = deep.fingerprints()
    shallow = FrozenEncoder(load_encoder(NAME, layers=(1,)))
    assert shallow.fingerprints() == {1: before[1]}
    with torch.no_grad():
        deep.module.model.blocks[2].mlp.fc1.bias[0] += 1
    changed = deep.fingerprints()
    assert (changed[1] == before[1], changed[3] == before[3]) == (True, False)
    with torch.no_grad():
        deep.module.model.patch_embed.proj.bias[0] += 1
    assert deep.fingerprints()[1] != before[1]


def test_fingerprints__windows__are_another_encoder():
    tiny = dict(
        depth=2, width=32, heads=4, patch_size=8, image_size=32, class_token=False
    )
    plain = PerceptionEncoder(tiny, 'all')
    hashes = []
    for window_size, global_blocks in ((None, ()), (2, ()), (2, (0,)), (2, (1,))):
        module = PerceptionEncoder(
            tiny, 'all', window_size=window_size, global_blocks=global_blocks
        )
        module.load_state_dict(plain.state_dict())
        # As if the rows said nothing of windows: the features' hashes must.
        encoder = FrozenEncoder(replace(planted().loaded, encoder=module))
        encoder.variant = {}
        hashes.append(encoder.fingerprints())
    first, second = ([found[layer] for found in hashes] for layer in (0, 1))
    assert first[0] == first[2] != first[1] == first[3]
    assert len(set(second)) == 4


def test_check_size__model_of_one_size__says_how_many_tokens():
    encoder = planted()
    encoder.check_size(64)
    encoder.module.image_size = (24, 24)
    with pytest.raises(ValueError, match='24 x 24 px only, not of 16; use --tokens 6'):
        encoder.check_size(16)


def test_call__features_that_are_no_numbers__are_an_error():
    with pytest.raises(ValueError, match='layer 0 are not finite; are these the weigh'):
        planted(scale=float('nan'))(torch.zeros(1, 3, 16, 16))
