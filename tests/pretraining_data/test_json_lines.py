"""Objects are found by line; messages say which line is wrong."""

import pytest

from pe_mm.pretraining_data.json_lines import JsonLines, read_captions


def test_json_lines__empty_lines_between__are_passed_over(tmp_path):
    path = tmp_path / 'a.jsonl'
    path.write_text('{"a": "ä"}\n\n{"a": 1}\n  \n{"a": 2}')

    lines = JsonLines(path)

    assert len(lines) == 3
    assert [lines[k]['a'] for k in (2, 0, 1)] == [2, 'ä', 1]


def test_json_lines__check_fails__names_the_line_of_the_file(tmp_path):
    path = tmp_path / 'a.jsonl'
    path.write_text('{"a": 1}\n\n{"b": 1}\n')

    def check(record):
        if 'a' not in record:
            raise ValueError('no a')

    with pytest.raises(ValueError, match=r'a.jsonl, line 3: no a'):
        JsonLines(path, check)


def test_read_captions__one_or_several__are_a_list():
    assert read_captions({'caption': 'A.'}) == ['A.']
    assert read_captions({'captions': ['A.', 'B.']}) == ['A.', 'B.']


def test_read_captions__no_text__is_an_error():
    with pytest.raises(ValueError, match='3 is no caption'):
        read_captions({'captions': ['A.', 3]})
