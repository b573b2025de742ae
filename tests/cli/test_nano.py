"""`pe-mm nano`: arguments, and a chain that is done already."""

import pytest

from pe_mm.cli.main import main


@pytest.mark.parametrize(
    ('words', 'message'),
    [
        (['--processes', '0'], '--processes must be at least 1, got 0'),
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

    assert main(['nano', '--work-dir', str(tmp_path), '--seeds', '4', '5']) == 0
    assert 'the tables' in capsys.readouterr().out
    (steps,) = ran
    assert any(step.folder == tmp_path / 'seed_5' / 'align_both' for step in steps)
