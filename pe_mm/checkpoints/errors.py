"""The error that every problem with a checkpoint raises."""

from collections.abc import Iterable


class CheckpointError(ValueError):
    """A checkpoint cannot be read, or does not fit; the message says why."""


class CheckpointNotFoundError(CheckpointError, FileNotFoundError):
    """There is no file at a checkpoint's path."""

    # OSError's own __str__ would look for an errno.
    __str__ = Exception.__str__


def listing(names: Iterable[str], limit: int = 10) -> str:
    """Join names for a message: the first ``limit`` of them, and how many more."""
    ordered = list(names)
    more = len(ordered) - limit
    shown = ', '.join(map(shorten, ordered[:limit]))
    return shown + (f' and {more} more' if more > 0 else '')


def shorten(text: str, limit: int = 200) -> str:
    """Cut the middle out of a long name or path, for a message."""
    half = limit // 2
    return text if len(text) <= limit else f'{text[:half]}...{text[-half:]}'
