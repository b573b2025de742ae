"""The command line: help, commands, exit codes, and errors as one line."""

import argparse
import io
import os
import subprocess
import sys
import types
from pathlib import Path

import pytest

import pe_mm
from pe_mm.cli import main as cli


@pytest.fixture
def command(monkeypatch):
    """Put one command in the place of all; returns a setter of what it does."""
    module = types.ModuleType('pe_mm.cli.fake', 'Do something.')
    module.HELP = 'do something'
    module.add_arguments = lambda parser: parser.add_argument('--number', type=int)
    monkeypatch.setitem(sys.modules, 'pe_mm.cli.fake', module)
    monkeypatch.setattr(cli, 'COMMANDS', {'fake': 'pe_mm.cli.fake'})
    monkeypatch.delenv(cli.TRACEBACK_VARIABLE, raising=False)

    def does(run):
        module.run = run

    return does


def raising(error):
    def run(args: argparse.Namespace) -> int:
        raise error

    return run


def test_main__command_returns_a_code__is_the_exit_code(command):
    command(lambda args: args.number)

    assert cli.main(['fake', '--number', '7']) == 7


@pytest.mark.parametrize(
    ('error', 'line'),
    [
        (ValueError('no variant\n  PE-X'), 'no variant PE-X'),
        (FileNotFoundError(2, 'No such file', 'a.pt'), 'a.pt: No such file'),
        (OSError(28, 'No space left on device'), 'No space left on device'),
        (FileExistsError('out/ has foreign files'), 'out/ has foreign files'),
        (
            ModuleNotFoundError("No module named 'mmdet'"),
            "No module named 'mmdet'; `pe-mm doctor` says what is missing and how to "
            'mend it',
        ),
    ],
)
def test_main__users_error__is_one_line_and_code_2(command, capsys, error, line):
    command(raising(error))

    assert cli.main(['fake']) == 2
    assert capsys.readouterr().err == f'pe-mm: error: {line}\n'


def test_main__users_error_with_traceback_wanted__is_raised(command, monkeypatch):
    monkeypatch.setenv(cli.TRACEBACK_VARIABLE, '1')
    command(raising(ValueError('wrong')))

    with pytest.raises(ValueError, match='wrong'):
        cli.main(['fake'])


def test_main__bug__keeps_its_traceback(command):
    command(raising(AttributeError('no such attribute')))

    with pytest.raises(AttributeError, match='no such attribute'):
        cli.main(['fake'])


def test_main__ctrl_c__is_code_130(command, capsys):
    command(raising(KeyboardInterrupt()))

    assert cli.main(['fake']) == 130
    assert capsys.readouterr().err == 'pe-mm: interrupted\n'


@pytest.mark.parametrize('unbuffered', [False, True])
def test_main__reader_of_the_output_left__ends_quietly(
    command, capsys, monkeypatch, unbuffered
):
    reader, writer = os.pipe()
    os.close(reader)
    command(lambda args: print('row') or 0)

    with io.TextIOWrapper(
        open(writer, 'wb', buffering=0 if unbuffered else -1), write_through=unbuffered
    ) as output:
        monkeypatch.setattr(sys, 'stdout', output)
        assert cli.main(['fake']) == 141
        # As at exit, when the interpreter flushes what is left.
        output.flush()
    assert capsys.readouterr().err == ''


def test_main__another_broken_pipe__is_the_users_error(command, capsys):
    command(raising(BrokenPipeError(32, 'Broken pipe')))

    assert cli.main(['fake']) == 2
    assert capsys.readouterr().err == 'pe-mm: error: Broken pipe\n'


def test_main__version__is_the_packages(capsys):
    with pytest.raises(SystemExit) as caught:
        cli.main(['--version'])

    assert caught.value.code == 0
    assert capsys.readouterr().out.strip() == pe_mm.__version__


def test_main__unknown_command__names_the_commands(capsys):
    with pytest.raises(SystemExit) as caught:
        cli.main(['trian'])

    assert caught.value.code == 2
    message = capsys.readouterr().err
    assert "invalid choice: 'trian'" in message
    for name in cli.COMMANDS:
        assert name in message


def test_main__help__lists_every_command(capsys):
    with pytest.raises(SystemExit) as caught:
        cli.main(['--help'])

    assert caught.value.code == 0
    text = capsys.readouterr().out
    for name in cli.COMMANDS:
        assert name in text.split()


@pytest.mark.parametrize('name', cli.COMMANDS)
def test_main__help_of_a_command__is_printed(name, capsys):
    with pytest.raises(SystemExit) as caught:
        cli.main([name, '--help'])

    assert caught.value.code == 0
    assert capsys.readouterr().out.startswith(f'usage: pe-mm {name}')


def test_doctor__another_command_is_broken__still_starts(monkeypatch):
    monkeypatch.setitem(cli.COMMANDS, 'train', 'pe_mm.cli.no_such_file')

    parser = cli.build_parser(['doctor'])

    assert parser.parse_args(['doctor', '--json']).json


@pytest.mark.parametrize('wanted', ['0', '1'])
def test_module__broken_stack_with_traceback_wanted__shows_its_cause(tmp_path, wanted):
    (tmp_path / 'timm').mkdir()
    (tmp_path / 'timm' / '__init__.py').write_text('raise RuntimeError("timm is torn")')
    root = str(Path(cli.__file__).parents[2])

    done = subprocess.run(
        [sys.executable, '-m', 'pe_mm', 'train', 'config.py'],
        env={
            **os.environ,
            'PYTHONPATH': os.pathsep.join([str(tmp_path), root]),
            cli.TRACEBACK_VARIABLE: wanted,
        },
        capture_output=True,
        text=True,
    )

    assert 'cannot load what it stands on: timm is torn' in done.stderr
    assert ('RuntimeError: timm is torn' in done.stderr) == (wanted == '1')
    assert ('Traceback' in done.stderr) == (wanted == '1')


def test_module__run_with_python_m__has_the_same_commands():
    done = subprocess.run(
        [sys.executable, '-m', 'pe_mm', 'demo-data', '--help'],
        capture_output=True,
        text=True,
    )

    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith('usage: pe-mm demo-data')
