"""Read the command line and run one command of `pe-mm`."""

import argparse
import importlib
import os
import sys
from collections.abc import Sequence
from types import ModuleType

import pe_mm

COMMANDS = {
    'doctor': 'pe_mm.cli.doctor',
    'convert': 'pe_mm.cli.convert',
    'demo-data': 'pe_mm.cli.demo_data',
    'demo': 'pe_mm.cli.demo',
    'train': 'pe_mm.cli.train',
    'test': 'pe_mm.cli.test',
    'predict': 'pe_mm.cli.predict',
    'report': 'pe_mm.cli.report',
    'track': 'pe_mm.cli.track',
    'attention': 'pe_mm.cli.attention',
    'global-tokens': 'pe_mm.cli.global_tokens',
    'pca': 'pe_mm.cli.pca',
    'match': 'pe_mm.cli.match',
    'sweep': 'pe_mm.cli.sweep',
    'nano': 'pe_mm.cli.nano',
}

TRACEBACK_VARIABLE = 'PE_MM_TRACEBACK'

EXIT_USER_ERROR = 2
# What shells give for a process that SIGINT or SIGPIPE ended.
EXIT_INTERRUPTED = 130
EXIT_BROKEN_PIPE = 141


def main(argv: Sequence[str] | None = None) -> int:
    """Run `pe-mm`.

    Args:
        argv: The arguments after the program's name; `sys.argv[1:]` by default.

    Returns:
        The command's exit code; 2 after an error of the user's, which is printed as one
        line (with a traceback where PE_MM_TRACEBACK=1), 130 after Ctrl-C, 141 where
        the reader of the output left, as in ``pe-mm doctor | head -1``.
    """
    words = sys.argv[1:] if argv is None else list(argv)
    # Only the wanted command is imported: the doctor runs whatever else is broken.
    wanted = words[:1] if words[:1] and words[0] in COMMANDS else list(COMMANDS)
    args = build_parser(wanted).parse_args(words)
    try:
        if pe_mm.load_error is not None and words[0] != 'doctor':
            raise pe_mm.load_error
        code: int = args.run(args)
        # At exit a reader that left would be an error of the interpreter's.
        sys.stdout.flush()
    except KeyboardInterrupt:
        print('pe-mm: interrupted', file=sys.stderr)
        return EXIT_INTERRUPTED
    except Exception as error:
        if isinstance(error, BrokenPipeError) and lost_reader():
            return EXIT_BROKEN_PIPE
        if os.environ.get(TRACEBACK_VARIABLE) == '1' or not is_user_error(error):
            raise
        print(f'pe-mm: error: {error_line(error)}', file=sys.stderr)
        return EXIT_USER_ERROR
    return code


def build_parser(wanted: Sequence[str]) -> argparse.ArgumentParser:
    """Build the parser of the wanted commands."""
    parser = argparse.ArgumentParser(
        prog='pe-mm',
        description='Perception Encoder for OpenMMLab.',
        epilog=f'{TRACEBACK_VARIABLE}=1 shows where in the code an error came from.',
    )
    parser.add_argument('--version', action='version', version=pe_mm.__version__)
    commands = parser.add_subparsers(title='commands', metavar='COMMAND', required=True)
    for name in wanted:
        add_command(commands, name, importlib.import_module(COMMANDS[name]))
    return parser


def add_command(
    commands: 'argparse._SubParsersAction[argparse.ArgumentParser]',
    name: str,
    module: ModuleType,
) -> None:
    """Add one command's parser, made by its module."""
    parser = commands.add_parser(name, help=module.HELP, description=module.__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    module.add_arguments(parser)
    parser.set_defaults(run=module.run)


def lost_reader() -> bool:
    """Tell whether nobody reads the output any more; if so, drop the rest of it."""
    try:
        # An empty line: unbuffered output keeps nothing that a flush would try again.
        print(flush=True)
    except BrokenPipeError:
        # What is buffered is written once more at exit.
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
        return True
    return False


def is_user_error(error: Exception) -> bool:
    """Tell an error that the user can mend from a bug, which needs its traceback."""
    # A CheckpointError is a ValueError.
    if isinstance(error, (ValueError, ImportError)):
        return True
    return isinstance(error, OSError) and bool(str(error))


def error_line(error: Exception) -> str:
    """Write an error as one line, without the number that an OSError starts with."""
    text = str(error)
    if isinstance(error, OSError) and error.strerror:
        names = [str(name) for name in (error.filename, error.filename2) if name]
        text = ': '.join([*names, error.strerror])
    if isinstance(error, ImportError):
        text += '; `pe-mm doctor` says what is missing and how to mend it'
    return ' '.join(text.split())
