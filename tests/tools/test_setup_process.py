"""How set-up runs commands: progress, interruption, what a failure says."""

import os
import signal
import subprocess
import sys
import threading
import time

import pytest

NINJA_LINE = '  [12/69] c++ -MMD -MF /x/build/mmcv/ops/csrc/roi_align.o.d -O2 -c x\n'


def test_progress__ninja_line__counts_files_and_names_the_last(process):
    progress = process.Progress('building mmcv')
    progress.read(NINJA_LINE)

    assert progress.report(221) == (
        'building mmcv: 12 of 69 files compiled, last roi_align (3:41)'
    )


def test_progress__resumed_build__adds_what_was_compiled_before(process):
    progress = process.Progress('building mmcv', done_before=8)
    progress.read(NINJA_LINE)

    assert '20 of 77 files compiled' in progress.report(0)


def test_progress__other_lines__keep_the_state(process):
    progress = process.Progress('installing torch')
    progress.read('Collecting torch==2.13.0\n')
    progress.read('  warning: unused variable [-Wunused]\n')

    assert progress.report(5) == 'installing torch: Collecting torch==2.13.0 (0:05)'


def test_run_logged__command_fails__says_reason_and_tail(process, tmp_path):
    code = 'print("line one"); raise SystemExit("No space left on device")'

    with pytest.raises(process.SetupError) as caught:
        process.run_logged(
            [sys.executable, '-c', code], tmp_path / 'x.log', process.Progress('making')
        )

    assert 'making failed.\nThe disk is full' in str(caught.value)
    assert 'line one' in str(caught.value)
    assert str(tmp_path / 'x.log') in str(caught.value)


@pytest.mark.parametrize(
    ('line', 'hint'),
    [
        ('Temporary failure in name resolution', 'pip could not reach'),
        (
            'NewConnectionError: [Errno 101] Network is unreachable',
            'pip could not reach',
        ),
        ('c++: fatal error: Killed signal terminated program cc1plus', 'MAX_JOBS=1'),
        ('ERROR: No matching distribution found for torch==2.13.0', 'no such version'),
    ],
)
def test_failure_message__known_reason__gives_the_fix(process, tmp_path, line, hint):
    log = tmp_path / 'pip.log'
    log.write_text(f'Collecting torch\n{line}\n')

    assert hint in process.failure_message('installing', log)


def test_run_logged__interrupted__ends_the_command_and_its_children(
    process, monkeypatch, tmp_path
):
    monkeypatch.setattr(process, 'SIGNALS', tuple((s, 0.5) for s, _ in process.SIGNALS))
    marker = tmp_path / 'pid'
    # What bash runs in its background ignores SIGINT: harder signals must follow.
    shell = f'sleep 60 & echo $! > {marker}; wait'

    def interrupt():
        while not (marker.exists() and marker.read_text().strip()):
            time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt, daemon=True).start()
    with pytest.raises(KeyboardInterrupt):
        process.run_logged(
            ['bash', '-c', shell], tmp_path / 'x.log', process.Progress('sleeping')
        )

    child = int(marker.read_text())
    state = subprocess.run(
        ['ps', '-o', 'stat=', '-p', str(child)], capture_output=True, text=True
    ).stdout.strip()
    assert state in {'', 'Z'}


def test_clean_environment__leading_variables__are_dropped(process, monkeypatch):
    monkeypatch.setenv('PYTHONPATH', '/elsewhere')
    monkeypatch.setenv('PIP_INDEX_URL', 'kept')

    environment = process.clean_environment(MAX_JOBS='3')

    assert 'PYTHONPATH' not in environment
    assert environment['PIP_INDEX_URL'] == 'kept'
    assert environment['MAX_JOBS'] == '3'
