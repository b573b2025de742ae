"""Lines instead of a bar: one per tenth, none twice."""

import pytest

from pe_mm.data.progress import TenthPrinter


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
