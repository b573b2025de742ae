"""Commands that take an encoder declare it, its weights and the device alike."""

import pytest

from pe_mm.cli.main import COMMANDS, build_parser


@pytest.mark.parametrize(
    ('command', 'more'),
    [
        ('track', ['data', '--out', 'o']),
        ('attention', ['a.png', '--out', 'o']),
        ('global-tokens', ['a.png', '--out', 'o']),
        ('pca', ['a.png', '--out', 'o']),
        ('match', ['a.png', 'b.png', '--out', 'o']),
        ('sweep', []),
    ],
)
def test_parser__encoder_weights_device__are_taken(command, more) -> None:
    words = [command, 'NAME', *more, '--weights', 'w.pth', '--device', 'cpu']
    args = build_parser(list(COMMANDS)).parse_args(words)

    assert (args.encoder, args.weights, args.device) == ('NAME', 'w.pth', 'cpu')


@pytest.mark.parametrize('command', ['attention', 'global-tokens', 'pca', 'sweep'])
def test_parser__layers__are_all_by_default(command) -> None:
    words = [command, 'NAME', *([] if command == 'sweep' else ['a.png', '--out', 'o'])]
    args = build_parser(list(COMMANDS)).parse_args(words)

    assert args.layers == 'all'
