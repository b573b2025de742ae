"""What every field of a row of results takes, and how it is kept."""

import json
import math
import operator
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any


def _to_text(value: Any) -> str:
    # What is not printable, such as half a character, ends in no figure or page.
    if not isinstance(value, str) or not value.strip() or not value.isprintable():
        raise TypeError
    return value


def _to_number(value: Any) -> float:
    number = float(_not_flag(value))
    return number if math.isfinite(number) else math.nan


def _to_seconds(value: Any) -> float:
    seconds = _to_number(value)
    if not seconds >= 0:
        raise ValueError
    return seconds


def _to_flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError
    return value


def _to_id(value: Any) -> int:
    number = operator.index(_not_flag(value))
    if number < 0:
        raise ValueError
    return number


def _to_seed(value: Any) -> int | None:
    return None if value is None else _to_id(value)


def _not_flag(value: Any) -> Any:
    """Keep True and 'nan' from passing as numbers."""
    if isinstance(value, (bool, str)):
        raise TypeError
    return value


def _to_hash(value: Any) -> str | None:
    if value is not None and not re.fullmatch('[0-9a-f]{64}', value):
        raise ValueError
    return value


def _to_size(value: Sequence[Any]) -> tuple[int, int]:
    height, width = (_to_id(side) for side in value)
    return height, width


def _to_facts(value: Any) -> dict[str, Any]:
    """Return what JSON gives back: a row that was read equals the one written."""
    if not isinstance(value, Mapping):
        raise TypeError
    facts: dict[str, Any] = json.loads(json.dumps(dict(value), allow_nan=False))
    return facts


def _to_variant(value: Any) -> dict[str, Any] | str:
    return _to_text(value) if isinstance(value, str) else _to_facts(value)


_FACTS = (_to_facts, 'names with values that JSON can hold')
_SIZE = (_to_size, '(height, width)')
_TEXT = (_to_text, 'a text of printable characters')
FIELDS: dict[str, tuple[Callable[[Any], Any], str]] = {
    'task': _TEXT,
    'metric': _TEXT,
    'value': (_to_number, 'a number'),
    'higher_is_better': (_to_flag, 'true or false'),
    'layer': (_to_id, 'a block id, 0 or above'),
    'num_layers': (_to_id, 'a number of blocks'),
    'encoder': _TEXT,
    'variant': (_to_variant, 'a name, or names with values that JSON can hold'),
    'weights': (_to_hash, 'a SHA-256 in hexadecimal digits, or None for random ones'),
    'config': _TEXT,
    'seed': (_to_seed, 'an integer, 0 or above, or None where nothing is random'),
    'protocol': _FACTS,
    'resolution': _SIZE,
    'tokens': _SIZE,
    'versions': _FACTS,
    'seconds': (_to_seconds, 'a number, 0 or above'),
}
