"""Check the shapes of a detectron2 Mask R-CNN on a Perception Encoder."""

from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase

from torch import Tensor

from pe_mm.checkpoints.architecture import has_spare_row
from pe_mm.checkpoints.errors import CheckpointError, listing

# Of every detector: patches of 16 pixels, regions of 7 x 7 cells, 3 anchors a cell.
PATCH, REGION, ANCHORS = 16, 7, 3


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """The numbers that every shape in a detector follows from.

    Attributes:
        width: Channels of a token.
        mlp_width: Hidden channels of the MLP.
        positions: Rows of the position embedding, a square number, or one more where
            it kept the row of a class token.
        channels: Channels of the pyramid, and of each convolution of the heads.
        box_width: Channels of the box head's linear layer.
        classes: Foreground classes.
        boxes: Boxes that a region gets: one for each class, or 1 for all.
        masks: Masks that a region gets, likewise.
    """

    width: int
    mlp_width: int
    positions: int
    channels: int
    box_width: int
    classes: int
    boxes: int
    masks: int

    @classmethod
    def of_weights(cls, state: Mapping[str, Tensor]) -> 'Sizes':
        """Read them from one tensor each.

        Raises:
            CheckpointError: One of these has not the dimensions of its name.
        """
        net, roi = 'backbone.net', 'roi_heads'
        mlp = f'{net}.transformer.resblocks.0.mlp.c_fc.weight'
        rows = _shape(state, f'{net}.positional_embedding', dims=3)[1]
        classes = _shape(state, f'{roi}.box_predictor.cls_score.weight', dims=2)[0] - 1
        deltas = _shape(state, f'{roi}.box_predictor.bbox_pred.weight', dims=2)[0]
        masks = _shape(state, f'{roi}.mask_head.predictor.weight', dims=4)[0]
        return cls(
            width=_shape(state, f'{net}.conv1.weight', dims=4)[0],
            mlp_width=_shape(state, mlp, dims=2)[0],
            positions=rows if has_spare_row(rows) else round(rows**0.5) ** 2,
            channels=_shape(state, 'backbone.simfp_2.5.weight', dims=4)[0],
            box_width=_shape(state, f'{roi}.box_head.fc1.weight', dims=2)[0],
            classes=classes,
            boxes=1 if deltas == 4 else classes,
            masks=1 if masks == 1 else classes,
        )

    def __str__(self) -> str:
        """Describe them for a message."""
        return (
            f'width {self.width}, MLP width {self.mlp_width}, {self.positions} '
            f'positions, {self.channels} pyramid channels, box head width '
            f'{self.box_width}, {self.classes} classes and a background'
        )


def check_shapes(state: Mapping[str, Tensor]) -> Sizes:
    """Check that the shapes of a detector agree with each other.

    Args:
        state: The weights in detectron2's names, all of them and no others.

    Raises:
        CheckpointError: The message names the tensors of which this is not so.
    """
    sizes = Sizes.of_weights(state)
    table = _weight_shapes(sizes)
    misshapen = []
    for key, tensor in state.items():
        expected = next(s for name, s in table.items() if fnmatchcase(key, name))
        if key.endswith('bias'):
            # Transposed convolutions, those with kernels of 2 x 2, store inputs first.
            expected = expected[1:2] if expected[2:] == (2, 2) else expected[:1]
        if tensor.shape != expected:
            shape = tuple(tensor.shape)
            misshapen.append(f'{key} is {shape} and must be {expected}')
    if misshapen:
        raise CheckpointError(
            f'the shapes are not those of one detectron2 Mask R-CNN; {len(misshapen)} '
            f'misshapen: {listing(misshapen)}. The others have {sizes}'
        )
    return sizes


def _weight_shapes(sizes: Sizes) -> dict[str, tuple[int, ...]]:
    """Return the shape of each layer's weight by a pattern; the first match counts."""
    width, half, quarter = sizes.width, sizes.width // 2, sizes.width // 4
    channels = sizes.channels
    return {
        'backbone.net.positional_embedding': (1, sizes.positions, width),
        'backbone.net.conv1.*': (width, 3, PATCH, PATCH),
        'backbone.net.*.attn.in_proj_*': (3 * width, width),
        'backbone.net.*.attn.out_proj.*': (width, width),
        'backbone.net.*.mlp.c_fc.*': (sizes.mlp_width, width),
        'backbone.net.*.mlp.c_proj.*': (width, sizes.mlp_width),
        # LayerNorms and LayerScale.
        'backbone.net.*': (width,),
        'backbone.simfp_[23].0.*': (width, half, 2, 2),
        'backbone.simfp_2.1.*': (half,),
        'backbone.simfp_2.3.*': (half, quarter, 2, 2),
        '*.norm.*': (channels,),
        'backbone.simfp_2.4.*': (channels, quarter, 1, 1),
        'backbone.simfp_3.1.*': (channels, half, 1, 1),
        'backbone.simfp_4.0.*': (channels, width, 1, 1),
        'backbone.simfp_5.1.*': (channels, width, 1, 1),
        '*.rpn_head.objectness_logits.*': (ANCHORS, channels, 1, 1),
        '*.rpn_head.anchor_deltas.*': (4 * ANCHORS, channels, 1, 1),
        '*.box_head.fc1.*': (sizes.box_width, channels * REGION**2),
        '*.box_predictor.cls_score.*': (sizes.classes + 1, sizes.box_width),
        '*.box_predictor.bbox_pred.*': (4 * sizes.boxes, sizes.box_width),
        '*.box_predictor.fed_loss_cls_weights': (sizes.classes,),
        '*.mask_head.deconv.*': (channels, channels, 2, 2),
        '*.mask_head.predictor.*': (sizes.masks, channels, 1, 1),
        # The other convolutions of the pyramid and the heads.
        '*': (channels, channels, 3, 3),
    }


def _shape(state: Mapping[str, Tensor], key: str, *, dims: int) -> tuple[int, ...]:
    shape = tuple(state[key].shape)
    if len(shape) != dims or 0 in shape:
        raise CheckpointError(
            f'{key} is {shape} and must have {dims} dimensions, none of them 0'
        )
    return shape
