"""Arguments of the commands that take an encoder, or run something on a device."""

import argparse

ENCODER_HELP = 'config file, variant such as PE-Spatial-B16-512, or timm/NAME'
PE_HELP = 'config file, or variant such as PE-Spatial-B16-512'
WEIGHTS_HELP = (
    "checkpoint of the config's model or of an encoder, hf:// address, or 'hub' for "
    'the official weights'
)
LAYERS_HELP = (
    "block ids such as 2,5,8 (--layers=-1 for negative ones), 'last', 'quarters' or "
    "'all'"
)


def add_encoder(parser: argparse.ArgumentParser, *, timm: bool = True) -> None:
    """Declare the encoder, which may be one of timm's, and its weights."""
    parser.add_argument(
        'encoder', metavar='ENCODER', help=ENCODER_HELP if timm else PE_HELP
    )
    parser.add_argument(
        '--weights',
        metavar='FILE',
        help=f'{WEIGHTS_HELP} (default: random weights, a dry run)',
    )


def add_layers(parser: argparse.ArgumentParser) -> None:
    """Declare the choice of layers, by default all."""
    parser.add_argument(
        '--layers',
        default='all',
        metavar='IDS',
        help=f'{LAYERS_HELP} (default: %(default)s)',
    )


def add_device(parser: argparse.ArgumentParser) -> None:
    """Declare the device."""
    parser.add_argument(
        '--device', help='such as cuda:1 or cpu (default: a GPU if there is one)'
    )
