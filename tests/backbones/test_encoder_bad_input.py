"""One clear message for every option, image and call that cannot be."""

import pytest
import torch

from pe_mm import PerceptionEncoder

TINY = dict(depth=4, width=32, heads=4, patch_size=8, image_size=32)
TINY_CORE = TINY | dict(pool='attn', final_norm=True, embed_dim=12)


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (dict(variant='PE-Spatial-X'), "unknown variant 'PE-Spatial-X'"),
        (dict(out_indices=(4,)), 'layer 4 does not exist'),
        (dict(freeze=5), r'freeze=5 is impossible: 4 blocks are built'),
        (dict(freeze=-1), r'freeze=-1 is impossible'),
        (dict(freeze='all'), r"freeze='all' is impossible: .* use True for the whole"),
        (dict(freeze=None), r'freeze=None is impossible'),
        (dict(drop_path_rate='0.1'), r"number in \[0, 1\), got '0.1'"),
        (dict(out_indices=None), 'integer block id, got None'),
        (dict(pretrained='w.pt'), "must be True or False, got 'w.pt'; for a file pass"),
        (dict(init_cfg='w.pt'), "init_cfg must be a dict .* got 'w.pt'"),
        (dict(init_cfg=dict(type='Pretrained')), 'one dict with a checkpoint'),
        (dict(out_indices=(1,), freeze=3), '2 blocks are built'),
        (
            dict(drop_path_rate=1.0),
            r'drop_path_rate must be a number in \[0, 1\), got 1.0',
        ),
        (dict(patch_size=0), 'patch_size must be an int >= 1'),
        (dict(apply_final_norm=True), 'has no final norm'),
        (dict(with_pooling=True), 'has no pooling'),
        (
            dict(variant=TINY_CORE, out_indices=(2,), with_pooling=True),
            r'out_indices must end with 3, got \(2,\)',
        ),
        (
            dict(variant=TINY | dict(class_token=False), output_class_token=True),
            "custom has no class token; .* set it to 'mean'",
        ),
        (
            dict(output_class_token='max'),
            "output_class_token must be False, True, or 'mean' .* got 'max'",
        ),
        (dict(pretrained=True), 'custom one has no weights'),
        (
            dict(variant='PE-Core-T16-384', pretrained=True, init_cfg=dict(type='x')),
            'both say where weights come from',
        ),
    ],
)
def test_init__bad_option__says_what_is_allowed(options, message) -> None:
    with pytest.raises(ValueError, match=message):
        PerceptionEncoder(**{'variant': TINY} | options)


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (dict(window_size=0), 'window_size must be an int >= 1, got 0'),
        (dict(window_size=-1), 'window_size must be an int >= 1, got -1'),
        (dict(window_size=2.5), 'window_size must be an int >= 1, got 2.5'),
        (dict(window_size=True), 'window_size must be an int >= 1, got True'),
        (dict(global_blocks=(1,)), r'global_blocks=\(1,\) needs window_size'),
        (
            dict(window_size=2, global_blocks=(1, 4)),
            'global_blocks: layer 4 does not exist: the encoder has blocks 0..3',
        ),
        (
            dict(window_size=2, global_blocks=(3, 1)),
            r'global_blocks: layers \(3, 1\) are not in ascending order',
        ),
        (
            dict(window_size=2, global_blocks=(1, 3), out_indices=(2,)),
            r'global_blocks: \[3\] are not built, the last layer of out_indices is 2',
        ),
        (dict(rope='shrink'), r"rope must be one of \('extrapolate', .* got 'shrink'"),
        (
            dict(rope_reference_size=4),
            "rope_reference_size=4 is for rope='rescale'.*leave it out",
        ),
        (
            dict(rope='extrapolate', rope_reference_size=4),
            "rope_reference_size=4 is for rope='rescale'",
        ),
        (
            dict(rope='rescale', rope_reference_size=0),
            'rope_reference_size must be an int >= 1, got 0',
        ),
        (
            dict(position_embedding='bicubic'),
            "position_embedding must be one of .*'resize_bicubic'.* got 'bicubic'",
        ),
        (
            dict(window_size=2, output_class_token=True),
            "with window_size there is no class token; .* set it to 'mean'",
        ),
        (
            dict(variant=TINY_CORE, window_size=2, with_pooling=True),
            'with window_size there is no pooling',
        ),
    ],
)
def test_init__bad_option_of_detectors__says_what_is_allowed(options, message) -> None:
    with pytest.raises(ValueError, match=message):
        PerceptionEncoder(**{'variant': TINY} | options)


@pytest.mark.parametrize(
    ('images', 'message'),
    [
        ([torch.zeros(3, 32, 32)], 'must be a tensor .* got list'),
        (torch.zeros(1, 3, 32, 32, dtype=torch.uint8), 'normalise 0-255 RGB first'),
        (torch.zeros(1, 3, 7, 32), r'7 x 32 px is smaller than a patch of 8 px'),
    ],
)
def test_forward__bad_image__says_what_is_wrong(images, message) -> None:
    with pytest.raises(ValueError, match=message):
        PerceptionEncoder(TINY)(images)


@pytest.mark.parametrize('training', [False, True])
def test_forward__window_larger_than_the_map__says_both(training) -> None:
    encoder = PerceptionEncoder(TINY, window_size=5).train(training)
    match = 'window_size=5 is larger than the grid of 4 x 3 tokens; use a smaller'
    with pytest.raises(ValueError, match=match):
        encoder(torch.zeros(1, 3, 32, 24))
    assert encoder(torch.zeros(1, 3, 32, 40))[0].shape == (1, 32, 4, 5)


def test_embed_image__without_pooling__says_how_to_get_it() -> None:
    with pytest.raises(ValueError, match='with_pooling=True'):
        PerceptionEncoder(TINY_CORE).embed_image(torch.zeros(1, 3, 32, 32))


@pytest.mark.parametrize(
    ('name', 'prefix'),
    [
        ('backbone.blocks.0.norm1.bias', 'backbone'),
        ('backbone.blocks.0.norm1.bias', ''),
        ('layers.0.norm1.bias', ''),
    ],
)
def test_get_layer_depth__name_that_is_not_the_encoders__is_an_error(
    name, prefix
) -> None:
    match = rf"'{name}' is no parameter of this encoder under the prefix '{prefix}'"
    with pytest.raises(ValueError, match=match):
        PerceptionEncoder(TINY).get_layer_depth(name, prefix)
