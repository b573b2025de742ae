"""A bar on a terminal, lines elsewhere."""

import io

from pe_mm.prediction.progress import show_progress


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
