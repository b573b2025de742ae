"""Which of an encoder's options go together."""

from typing import Any

from pe_mm.variants import Variant


def check_options(
    variant: Variant,
    *,
    out_indices: tuple[int, ...],
    windows: bool,
    output_class_token: bool | str,
    apply_final_norm: bool,
    with_pooling: bool,
    drop_path_rate: Any,
) -> None:
    """Check options against the variant and against each other.

    Args:
        variant: The encoder's variant.
        out_indices: Resolved layers to return; the last one is the last block built.
        windows: Whether blocks attend in windows.
        output_class_token: As in ``PerceptionEncoder``.
        apply_final_norm: As in ``PerceptionEncoder``.
        with_pooling: As in ``PerceptionEncoder``.
        drop_path_rate: As in ``PerceptionEncoder``.

    Raises:
        ValueError: An option is out of range, is nothing that the variant has, or
            excludes another.
    """
    if not isinstance(drop_path_rate, (int, float)) or not 0 <= drop_path_rate < 1:
        raise ValueError(
            f'drop_path_rate must be a number in [0, 1), got {drop_path_rate!r}'
        )
    if output_class_token not in (False, True, 'mean'):
        raise ValueError(
            "output_class_token must be False, True, or 'mean' for the mean of the "
            f'patches, got {output_class_token!r}'
        )
    if output_class_token is True and not variant.class_token:
        raise ValueError(
            f'{variant.name} has no class token; leave output_class_token out, or set '
            "it to 'mean' for the mean of the patches"
        )
    if apply_final_norm and not variant.final_norm:
        raise ValueError(
            f'{variant.name} has no final norm (only PE-Core has); '
            'leave apply_final_norm out'
        )
    if with_pooling and variant.pool is None:
        raise ValueError(
            f'{variant.name} has no pooling (only PE-Core has); leave with_pooling out'
        )
    if windows and output_class_token is True:
        raise ValueError(
            'with window_size there is no class token; leave output_class_token out, '
            "or set it to 'mean' for the mean of the patches"
        )
    if windows and with_pooling:
        raise ValueError(
            'with window_size there is no pooling, which has seen whole images only; '
            'leave with_pooling out'
        )
    last = variant.depth - 1
    if (apply_final_norm or with_pooling) and out_indices[-1] != last:
        raise ValueError(
            'the final norm and the pooling follow the last block, so out_indices '
            f'must end with {last}, got {out_indices}'
        )
