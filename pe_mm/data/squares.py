"""The square around a thing, as both captions and classes are cut out of scenes."""


def square_around(
    box: tuple[float, float, float, float],
    *,
    margin: float,
    size: tuple[int, int],
) -> tuple[int, int, int, int]:
    """Widen a box to a square with a margin, and cut it at the picture's border.

    Args:
        box: (left, top, right, bottom) in pixels.
        margin: On every side, in parts of the box's longer side.
        size: (width, height) of the picture in pixels.

    Returns:
        (left, top, right, bottom), whole pixels.
    """
    left, top, right, bottom = box
    half = (0.5 + margin) * max(right - left, bottom - top)
    x, y = (left + right) / 2, (top + bottom) / 2
    width, height = size
    return (
        max(0, round(x - half)),
        max(0, round(y - half)),
        min(width, round(x + half)),
        min(height, round(y + half)),
    )
