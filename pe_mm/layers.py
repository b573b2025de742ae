"""Layer numbering: one resolver for everything that names layers."""

import operator
from collections.abc import Sequence
from typing import Any


def resolve_layers(layers: str | int | Sequence[int], depth: int) -> tuple[int, ...]:
    """Resolve a layer choice to sorted, unique, 0-based block ids.

    Papers count from 1: "layer 41" of PE-Core G is block 40.

    Args:
        layers: 'last', 'quarters' (the ends of the four quarters of the depth: 2, 5, 8,
            11 of 12), 'all', one block id, or a sequence of ids in ascending order;
            negative ids count from the end.
        depth: Number of blocks of the whole encoder.

    Raises:
        ValueError: Unknown word, no layer, an id that is no integer or does not exist,
            duplicate ids, or ids that are not ascending.
    """
    if isinstance(layers, str):
        return _resolve_word(layers, depth)
    ids = list(layers) if isinstance(layers, Sequence) else [layers]
    if not ids:
        raise ValueError("no layer given; pass block ids, 'last', 'quarters' or 'all'")
    resolved = tuple(_resolve_id(layer, depth) for layer in ids)
    wanted = tuple(sorted(set(resolved)))
    if len(wanted) < len(resolved):
        raise ValueError(
            f'layers {tuple(ids)} name a block more than once (blocks {resolved}); '
            f'use {wanted}'
        )
    if wanted != resolved:
        raise ValueError(
            f'layers {tuple(ids)} are not in ascending order (blocks {resolved}); '
            f'use {wanted}: outputs always come in the order of the depth'
        )
    return resolved


def parse_layers(text: str) -> str | tuple[int, ...]:
    """Read a layer choice from the command line, for ``resolve_layers``.

    Args:
        text: A word, such as 'all', or block ids with commas between them: '2,5,-1'.

    Raises:
        ValueError: It is neither.
    """
    if text in ('last', 'quarters', 'all'):
        return text
    try:
        return tuple(int(part) for part in text.split(','))
    except ValueError as error:
        raise ValueError(
            f'layers {text!r} are no layer choice; give block ids such as 2,5,8, '
            "'last', 'quarters' or 'all'"
        ) from error


def _resolve_word(word: str, depth: int) -> tuple[int, ...]:
    if word == 'last':
        return (depth - 1,)
    if word == 'all':
        return tuple(range(depth))
    if word == 'quarters':
        if depth < 4:
            raise ValueError(
                f"'quarters' needs at least 4 blocks, the encoder has {depth}; "
                "use 'all' or ids"
            )
        return tuple(depth * quarter // 4 - 1 for quarter in (1, 2, 3, 4))
    raise ValueError(
        f"unknown layer choice {word!r}; use 'last', 'quarters', 'all' or block ids"
    )


def _resolve_id(layer: Any, depth: int) -> int:
    try:
        # An array of several numbers has an __index__ too, which fails.
        index = None if isinstance(layer, bool) else operator.index(layer)
    except TypeError:
        index = None
    if index is None:
        raise ValueError(
            f"a layer is an integer block id, got {layer!r}; use ids, 'last', "
            "'quarters' or 'all'"
        )
    if not -depth <= index < depth:
        raise ValueError(
            f'layer {index} does not exist: the encoder has blocks 0..{depth - 1} '
            f'(counted from 0; -1 is the last)'
        )
    return index % depth
