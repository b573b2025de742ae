"""The text tower: open_clip's transformer and tokenizer, which are CLIP's and PE's."""

import inspect
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from pe_mm.variants import check_count

if TYPE_CHECKING:
    from open_clip.tokenizer import SimpleTokenizer
    from open_clip.transformer import TextTransformer

_NEEDED = ('context_length', 'width', 'heads', 'layers')


def build_text_encoder(
    fields: Mapping[str, Any], output_dim: int
) -> 'tuple[TextTransformer, SimpleTokenizer]':
    """Build a text tower and its tokenizer.

    Args:
        fields: Those of ``open_clip.transformer.TextTransformer``: ``context_length``,
            ``width``, ``heads`` and ``layers`` at least; and ``with_cp``, true to
            recompute each block's activations in the backward pass.
        output_dim: Channels of the embedding: the image tower's.

    Returns:
        The tower, (N, context_length) token ids -> (N, output_dim), and the tokenizer,
        list of texts -> (N, context_length) token ids.

    Raises:
        ImportError: open_clip is not installed.
        ValueError: A field is unknown, missing or out of range.
    """
    try:
        from open_clip.tokenizer import SimpleTokenizer
        from open_clip.transformer import TextTransformer
    except ImportError as error:
        raise ImportError(
            f"the text tower is open_clip's, which cannot be imported ({error}); "
            "install it with `pip install 'pe_mm[train]'`"
        ) from error
    options = {**fields}
    with_cp = options.pop('with_cp', False)
    allowed = [*list(inspect.signature(TextTransformer).parameters), 'with_cp']
    _check_fields(fields, allowed, output_dim)
    tokenizer = SimpleTokenizer(context_length=options['context_length'])
    vocab_size = options.get('vocab_size', tokenizer.vocab_size)
    if vocab_size < tokenizer.vocab_size:
        raise ValueError(
            f'text_encoder: vocab_size={vocab_size} is less than the '
            f"{tokenizer.vocab_size} tokens of CLIP's tokenizer; leave it out"
        )
    encoder = TextTransformer(**{**options, 'output_dim': output_dim})
    encoder.set_grad_checkpointing(with_cp)
    return encoder, tokenizer


def _check_fields(
    fields: Mapping[str, Any], allowed: Sequence[str], output_dim: int
) -> None:
    unknown = sorted(set(fields) - set(allowed))
    missing = [name for name in _NEEDED if name not in fields]
    if unknown or missing:
        problem = f'unknown {unknown}' if unknown else f'missing {missing}'
        raise ValueError(
            f'text_encoder: {problem}; {", ".join(_NEEDED)} are needed, allowed are '
            f'{", ".join(allowed)}'
        )
    for name in _NEEDED:
        check_count(f'text_encoder: {name}', fields[name])
    if fields['width'] % fields['heads']:
        raise ValueError(
            f'text_encoder: width {fields["width"]} is no multiple of its '
            f'{fields["heads"]} heads'
        )
    if fields.get('output_dim', output_dim) != output_dim:
        raise ValueError(
            f'text_encoder: output_dim={fields["output_dim"]}, but the image tower '
            f'embeds in {output_dim} channels; leave output_dim out'
        )


def to_token_ids(
    texts: Sequence[str] | Tensor,
    tokenizer: 'SimpleTokenizer',
    device: torch.device,
) -> Tensor:
    """Tokenize texts; token ids stay as they are.

    Args:
        texts: Texts, cut to the tokenizer's context; or (N, length) token ids.
        tokenizer: As ``build_text_encoder`` returns it.
        device: Where the ids are to be.

    Raises:
        ValueError: It is neither.
    """
    if isinstance(texts, Tensor):
        longest = tokenizer.context_length
        if texts.dim() != 2 or texts.is_floating_point() or texts.shape[1] > longest:
            raise ValueError(
                'token ids must be integers of the shape (texts, length), length at '
                f'most {longest}; got {texts.dtype} of {tuple(texts.shape)}'
            )
        return texts.to(device)
    if isinstance(texts, str) or not all(isinstance(text, str) for text in texts):
        raise ValueError(
            f'texts must be a list of str or a tensor of token ids, got {texts!r:.200}'
        )
    return tokenizer(list(texts)).to(device)
