"""A bar on a terminal, elsewhere lines: one per tenth, none twice."""

import io

import pytest

from pe_mm.data.progress import TenthPrinter, show_progress


def test_tenth_printer__forty_jobs__prints_every_tenth_once(
    capsys: pytest.CaptureFixture[str],
) -> None:
    report = TenthPrinter('scenes: ')
    for done in range(41):
        report(done, 40)
    wanted = [f'scenes: {done} of 40' for done in range(0, 41, 4)]
    assert capsys.readouterr().out.splitlines() == wanted


def test_tenth_printer__nothing_to_do__says_so(
    capsys: pytest.CaptureFixture[str],
) -> None:
    TenthPrinter('')(0, 0)
    assert capsys.readouterr().out == '0 of 0\n'


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_show_progress__no_terminal__prints_a_line_every_tenth(capsys):
    with show_progress('work') as report:
        for done in range(21):
            report(done, 20)

    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 11
    assert lines[-1] == 'work: 20 of 20'


def test_show_progress__terminal__is_a_bar(monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr('sys.stdout', terminal)

    with show_progress('work') as report:
        report(3, 20)
        report(20, 20)

    assert '20/20' in terminal.getvalue()
