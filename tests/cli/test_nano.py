"""`pe-mm nano`: arguments, and a chain that is done already."""

import pytest

from pe_mm.cli.main import main
from pe_mm.nano.steps import IMAGE


@pytest.mark.parametrize(
    ('words', 'message'),
    [
        (['--processes', '0'], '--processes must be at least 1, got 0'),
        (['--workers', '-1'], '--workers must be at least 0, got -1'),
        (['--processes', '3'], '3 processes cannot share evenly; give another number'),
        (['--seeds', '1', '1'], '--seeds must be different and at least 0, got 1 1'),
        (['--seeds', '-1'], '--seeds must be different and at least 0, got -1'),
    ],
)
def test_nano__impossible_numbers__are_named(words, message, capsys):
    assert main(['nano', *words]) == 2
    assert message in capsys.readouterr().err


def test_nano__steps_run_and_tables_are_printed(tmp_path, capsys, monkeypatch):
    ran = []
    monkeypatch.setattr('pe_mm.nano.run_steps', ran.append)
    monkeypatch.setattr('pe_mm.nano.results.write_results', lambda _: 'the tables')

    words = ['--seeds', '4', '5', '--processes', '1', '--workers', '3']
    assert main(['nano', '--work-dir', str(tmp_path), *words]) == 0
    assert 'the tables' in capsys.readouterr().out
    (steps,) = ran
    (first,) = (s for s in steps if s.folder == tmp_path / 'seed_5' / IMAGE)
    command = first.command()
    assert command[command.index('--nproc-per-node') + 1] == '1'
    assert 'train_dataloader.num_workers=3' in command
    assert 'train_dataloader.batch_size=128' in command
