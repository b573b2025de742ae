"""What libraries print is kept back, errors and what comes later are not."""

import warnings

import pytest
from mmengine.logging import MMLogger, print_log

from pe_mm.probing.quiet import quiet


def test_quiet__prints_logs_and_warnings__are_kept_back(capsys, recwarn):
    logger = MMLogger.get_current_instance()
    level = logger.level
    with quiet():
        print('a table')
        print_log('a log', logger='current')
        warnings.warn('a warning', UserWarning, stacklevel=1)
    assert capsys.readouterr().out == ''
    assert not recwarn.list
    assert logger.level == level
    print('later')
    assert capsys.readouterr().out == 'later\n'


def test_quiet__error__goes_through_and_ends_it(capsys):
    with pytest.raises(RuntimeError), quiet():
        raise RuntimeError
    print('later')
    assert capsys.readouterr().out == 'later\n'
