"""What weights may have that an encoder lacks, and the reverse, with the reasons."""

import re
from collections.abc import Mapping

from torch import Tensor

from pe_mm.checkpoints.architecture import block_of, count_blocks
from pe_mm.checkpoints.layouts import ROPE_BUFFER, TRAINING_ONLY
from pe_mm.variants import Variant

_LAYER_SCALE = re.compile(r'blocks\.\d+\.gamma_[12]')


def reason_to_skip(
    key: str, wanted: Mapping[str, Tensor], variant: Variant
) -> str | None:
    """Return why an encoder was built without a parameter; None for no good reason."""
    if ROPE_BUFFER.fullmatch(key):
        return 'RoPE table, computed'
    block = block_of(key)
    if block is not None:
        above = count_blocks(wanted) <= block < variant.depth
        return 'block above the last one built' if above else None
    if key == 'cls_token' and variant.class_token:
        return 'class token, not built'
    if key in TRAINING_ONLY:
        return TRAINING_ONLY[key]
    if key.startswith('fpn1.'):
        return "pyramid of Meta's DETA"
    if key.startswith(('attn_pool.', 'head.')) and 'attn_pool.latent' not in wanted:
        return 'pooling head, not built'
    if key.startswith(('norm.', 'fc_norm.')) and 'norm.weight' not in wanted:
        return 'final norm, not built'
    return None


def add_new(
    tensors: dict[str, Tensor],
    given: Mapping[str, Tensor],
    wanted: Mapping[str, Tensor],
    new_layer_scale: bool,
) -> dict[str, str]:
    """Keep the encoder's own values of what weights may lack; return which and why."""
    added = {}
    if 'mask_token' in wanted:
        # Released weights have none: it is trained only where patches are hidden.
        if 'mask_token' not in given:
            added['mask_token'] = 'mask token, not in the weights'
        tensors['mask_token'] = given.get('mask_token', wanted['mask_token'])
    if new_layer_scale and not any(map(_LAYER_SCALE.fullmatch, tensors)):
        names = filter(_LAYER_SCALE.fullmatch, wanted)
        added |= dict.fromkeys(names, 'LayerScale, new by new_layer_scale')
    tensors.update({name: wanted[name] for name in added})
    return added


def drop_token_row(
    tensors: dict[str, Tensor], wanted: Mapping[str, Tensor]
) -> dict[str, str]:
    """Drop the class token's position where there is no token; return what was done."""
    if 'cls_token' in wanted or 'pos_embed' not in tensors:
        return {}
    embedding, rows = tensors['pos_embed'], wanted['pos_embed'].shape[1]
    if embedding.dim() != 3 or embedding.shape[1] != rows + 1:
        return {}
    tensors['pos_embed'] = embedding[:, 1:]
    return {'pos_embed': "the class token's row dropped"}
