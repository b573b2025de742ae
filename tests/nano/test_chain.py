"""A chain of commands: each runs once, and a failure tells why and where to go on."""

import fcntl
import json
import subprocess
import sys
from dataclasses import replace

import pytest
import torch

from pe_mm.nano.chain import DONE, LOG, Step, run_steps


def writing(folder, name, code=0):
    """Return a step that counts its starts in a file, and ends with a code."""
    script = (
        f"import pathlib, sys; p = pathlib.Path({str(folder)!r}, 'count');"
        f"p.write_text(p.read_text() + '{name}' if p.exists() else '{name}');"
        f"print('this is {name}'); sys.exit({code})"
    )
    return Step(name, folder / name, lambda: [sys.executable, '-c', script])


def test_run_steps__started_twice__runs_each_command_once(tmp_path):
    steps = [writing(tmp_path, 'a'), writing(tmp_path, 'b')]
    said = []
    run_steps(steps, said.append)
    run_steps(steps, said.append)

    assert (tmp_path / 'count').read_text() == 'ab'
    assert 'this is a' in (tmp_path / 'a' / LOG).read_text()
    done = json.loads((tmp_path / 'b' / DONE).read_text())
    assert done['command'][0] == sys.executable
    assert 0 < done['seconds'] < 60
    assert done['versions']['torch'] == torch.__version__
    cuda = torch.cuda.is_available()
    assert done['device'] == (torch.cuda.get_device_name() if cuda else 'CPU')
    assert said[-1] == '[2/2] b: done before'


def test_run_steps__a_command_fails__the_end_of_its_log_and_later_steps_wait(tmp_path):
    steps = [
        writing(tmp_path, 'a'),
        writing(tmp_path, 'b', code=3),
        writing(tmp_path, 'c'),
    ]
    said = []
    with pytest.raises(ChildProcessError, match=r'b failed \(exit code 3\); mend it'):
        run_steps(steps, said.append)

    assert said[-1].endswith('\nthis is b')
    assert (tmp_path / 'count').read_text() == 'ab'
    steps[1] = writing(tmp_path, 'b')
    run_steps(steps, lambda _: None)
    assert (tmp_path / 'count').read_text() == 'abbc'


def test_run_steps__not_once__is_started_every_time(tmp_path):
    step = replace(writing(tmp_path, 'a'), once=False)

    run_steps([step], lambda _: None)
    run_steps([step], lambda _: None)

    assert (tmp_path / 'count').read_text() == 'aa'


def test_run_steps__command_of_a_killed_chain_still_runs__is_not_started_twice(
    tmp_path,
):
    step = writing(tmp_path, 'a')
    step.folder.mkdir()
    log = step.folder / LOG
    with log.open('a') as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        orphan = subprocess.Popen(
            [sys.executable, '-c', 'import time; time.sleep(60)'], stdout=file
        )

    with pytest.raises(ValueError, match='a is still running, from a chain that was'):
        run_steps([step], lambda _: None)

    orphan.kill()
    orphan.wait()
    run_steps([step], lambda _: None)
    assert (tmp_path / 'count').read_text() == 'a'


def test_run_steps__command_that_needs_an_earlier_product__is_asked_late(tmp_path):
    product = tmp_path / 'product'
    made = Step(
        'made',
        tmp_path / 'made',
        lambda: [sys.executable, '-c', f"open({str(product)!r}, 'w').write('7')"],
    )
    used = Step(
        'used',
        tmp_path / 'used',
        lambda: [sys.executable, '-c', f'print({product.read_text()} + 1)'],
    )
    run_steps([made, used], lambda _: None)

    assert (tmp_path / 'used' / LOG).read_text().splitlines()[-1] == '8'
