"""`pe-mm report`: what it writes and prints, and what it refuses."""

import cv2
import numpy as np
import pytest
from probing_rows import curve_rows, row, sweep_rows

from pe_mm.cli.main import main
from pe_mm.cli.report import FIGURES
from pe_mm.probing.results import append_rows


@pytest.fixture
def files(tmp_path):
    """Two files of a sweep each."""
    paths = [tmp_path / 'core.jsonl', tmp_path / 'spatial.jsonl']
    append_rows(paths[0], sweep_rows('PE-Core L/14', 24))
    append_rows(paths[1], sweep_rows('PE-Spatial B/16', 12))
    return [str(path) for path in paths]


def refused(capsys, *words):
    assert main(['report', *map(str, words)]) == 2
    return capsys.readouterr().err


def test_report__two_files__writes_page_and_figures_and_prints(files, tmp_path, capsys):
    out = tmp_path / 'out'
    cv2.imwrite(str(tmp_path / 'attention.png'), np.zeros((8, 8, 3), np.uint8))

    code = main(
        [
            *('report', *files, '--out', str(out)),
            *('--pictures', str(tmp_path / 'attention.png')),
        ]
    )

    assert code == 0
    assert sorted(p.name for p in out.iterdir()) == sorted(['report.html', *FIGURES])
    page = (out / 'report.html').read_text()
    assert 'PE-Core L/14 (24 layers)' in page
    assert 'alt="attention"' in page
    printed = capsys.readouterr().out
    assert printed.count('out_indices=(') == 4
    assert f'{out / "report.html"}: the report' in printed


def test_report__again_with_more_rows__replaces_its_own_files(files, tmp_path):
    out = tmp_path / 'out'
    main(['report', files[0], '--out', str(out)])
    before = {path.name: path.read_bytes() for path in out.iterdir()}

    assert main(['report', *files, '--out', str(out)]) == 0
    assert all(path.read_bytes() != before[path.name] for path in out.iterdir())


def test_report__without_out__only_prints(files, tmp_path, capsys):
    before = sorted(tmp_path.iterdir())

    assert main(['report', files[1]]) == 0
    assert 'PE-Spatial B/16 (12 layers)' in capsys.readouterr().out
    assert sorted(tmp_path.iterdir()) == before


def test_report__other_protocol_in_the_file__is_refused_until_one_is_chosen(
    tmp_path, capsys
):
    path = tmp_path / 'rows.jsonl'
    append_rows(path, curve_rows([1.0, 3.0], protocol={'iterations': 100}))
    append_rows(path, curve_rows([4.0, 2.0], protocol={'iterations': 200}))

    error = refused(capsys, path, '--out', tmp_path / 'out')
    assert 'cannot be compared: protocol.iterations is 100 and 200' in error
    assert not (tmp_path / 'out').exists()

    main(['report', str(path), '--only', 'protocol.iterations=200'])
    assert 'out_indices=(0,)' in capsys.readouterr().out


def test_report__only_with_alternatives__keeps_either(files, capsys):
    main(['report', files[0], '--only', 'task=depth', 'task=tracking', 'num_layers=24'])

    printed = capsys.readouterr().out
    assert 'depth RMSE' in printed
    assert 'tracking J&F' in printed
    assert 'detection' not in printed


@pytest.mark.parametrize(
    ('condition', 'message'),
    [
        ('task', "--only takes FIELD=VALUE, got 'task'"),
        ('tasks=depth', '--only tasks: rows have no such field; use task, metric'),
        (
            'task=flow',
            'no row meets --only task=flow; in the files task is depth or detection or',
        ),
        ('protocol.steps=3', 'in the files protocol.steps is null'),
        ('seed.x=3', 'in the files seed.x is null'),
    ],
)
def test_report__bad_condition__is_said(files, capsys, condition, message):
    assert message in refused(capsys, files[0], '--only', condition)


def test_report__empty_file__is_said(tmp_path, capsys):
    (tmp_path / 'rows.jsonl').touch()

    assert 'no results to compare' in refused(capsys, tmp_path / 'rows.jsonl')


@pytest.mark.parametrize('name', ['missing.jsonl', '.'])
def test_report__no_file__is_named(tmp_path, capsys, name):
    assert str(tmp_path / name) in refused(capsys, tmp_path / name)


def test_report__foreign_files_in_the_folder__are_kept(files, tmp_path, capsys):
    (tmp_path / 'report.html').write_text('<p>mine</p>')

    error = refused(capsys, files[0], '--out', tmp_path)

    assert 'has report.html of no earlier run of pe-mm report' in error
    assert (tmp_path / 'report.html').read_text() == '<p>mine</p>'


def test_report__out_is_a_file__is_said(files, capsys):
    error = refused(capsys, files[0], '--out', files[0])

    assert f'--out {files[0]} is a file; give a folder' in error


def test_report__pictures_without_out__are_refused(files, capsys):
    error = refused(capsys, files[0], '--pictures', files[0])

    assert '--pictures are shown in the report, which needs --out' in error


def test_report__picture_of_another_format__writes_nothing(files, tmp_path, capsys):
    out = tmp_path / 'out'

    error = refused(capsys, files[0], '--out', out, '--pictures', files[1])

    assert 'is neither PNG nor JPEG' in error
    assert not out.exists()


def test_report__same_seed_measured_twice__is_refused(tmp_path, capsys):
    path = tmp_path / 'rows.jsonl'
    append_rows(path, [row(value=1.0), row(value=2.0)])

    assert 'is 1.0 in one row and 2.0 in another' in refused(capsys, path)
