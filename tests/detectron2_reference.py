"""detectron2's Mask R-CNN after the pyramid, written down plainly in its own names.

One image on the CPU, box by box where that is clearest. RoIAlign alone is mmcv's.
"""

import math
from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F
from mmcv.ops import roi_align
from torch import Tensor

State = Mapping[str, Tensor]
Size = tuple[int, int]  # height, width


def detect(
    state: State,
    levels: Sequence[Tensor],
    image_size: Size,
    output_size: Size,
    *,
    sigmoid: bool,
    score_threshold: float,
    top: int,
) -> dict[str, Tensor]:
    """Return proposals, logits, and the detections in the output size."""
    proposals, logits = propose(state, levels, image_size)
    box_features = _convolutions(state, 'box_head.conv', _pool(levels, proposals, 7))
    hidden = F.relu(_linear(state, 'box_head.fc1', box_features.flatten(1)))
    scores = _linear(state, 'box_predictor.cls_score', hidden)
    scores = (scores.sigmoid() if sigmoid else scores.softmax(dim=1))[:, :-1]
    deltas = _linear(state, 'box_predictor.bbox_pred', hidden)
    count, classes = scores.shape
    deltas = deltas.view(count * classes, 4) / torch.tensor([10.0, 10, 5, 5])
    boxes = _decode(proposals.repeat_interleave(classes, dim=0), deltas)
    boxes = _clip(boxes, image_size).view(count, classes, 4)

    wanted = scores > score_threshold
    labels = wanted.nonzero()[:, 1]
    boxes, scores = boxes[wanted], scores[wanted]
    kept = suppress(boxes, scores, labels, 0.5)[:top]
    boxes, scores, labels = boxes[kept], scores[kept], labels[kept]

    mask_features = _convolutions(state, 'mask_head.mask_fcn', _pool(levels, boxes, 14))
    name = 'roi_heads.mask_head.deconv'
    upsampled = F.conv_transpose2d(
        mask_features, state[f'{name}.weight'], state[f'{name}.bias'], stride=2
    )
    name = 'roi_heads.mask_head.predictor'
    masks = F.conv2d(
        F.relu(upsampled), state[f'{name}.weight'], state[f'{name}.bias']
    ).sigmoid()[range(len(labels)), labels]

    scale = torch.tensor([o / i for o, i in zip(output_size, image_size, strict=True)])
    boxes = _clip(boxes * scale.flip(0).repeat(2), output_size)
    kept = _nonempty(boxes)
    return {
        'proposals': proposals,
        'logits': logits,
        'boxes': boxes[kept],
        'scores': scores[kept],
        'classes': labels[kept],
        'masks': paste(masks[kept], boxes[kept], output_size),
    }


def propose(
    state: State, levels: Sequence[Tensor], image_size: Size
) -> tuple[Tensor, Tensor]:
    """Return the proposals (N, 4) and their logits (N,), best first."""
    prefix = 'proposal_generator.rpn_head.'

    def conv(name: str, x: Tensor, padding: int) -> Tensor:
        weight, bias = (state[f'{prefix}{name}.{leaf}'] for leaf in ('weight', 'bias'))
        return F.conv2d(x, weight, bias, padding=padding)

    candidates = []
    for i, level in enumerate(levels):
        hidden = level
        for name in ('conv.conv0', 'conv.conv1'):
            hidden = F.relu(conv(name, hidden, 1))
        logits = conv('objectness_logits', hidden, 0)[0].permute(1, 2, 0).flatten()
        deltas = conv('anchor_deltas', hidden, 0)[0]
        deltas = deltas.unflatten(0, (3, 4)).permute(2, 3, 0, 1).reshape(-1, 4)
        boxes = _decode(_anchors(level, 4 * 2**i, 32 * 2**i), deltas)
        logits, best = logits.topk(min(1000, len(logits)))
        candidates.append((_clip(boxes[best], image_size), logits, best * 0 + i))
    boxes, logits, level_ids = map(torch.cat, zip(*candidates, strict=True))
    kept = _nonempty(boxes)
    boxes, logits, level_ids = boxes[kept], logits[kept], level_ids[kept]
    kept = suppress(boxes, logits, level_ids, 0.7)[:1000]
    return boxes[kept], logits[kept]


def suppress(boxes: Tensor, scores: Tensor, groups: Tensor, threshold: float) -> Tensor:
    """Return the boxes that no better one of their group overlaps, best first."""
    remaining = scores.argsort(descending=True, stable=True)
    kept = []
    while len(remaining):
        best, remaining = remaining[0], remaining[1:]
        kept.append(best)
        overlaps = _overlap(boxes[best], boxes[remaining])
        lost = (overlaps > threshold) & (groups[remaining] == groups[best])
        remaining = remaining[~lost]
    return torch.stack(kept) if kept else remaining


def paste(masks: Tensor, boxes: Tensor, size: Size) -> Tensor:
    """Sample each (M, M) mask at the pixels' centres; true from a half up."""
    height, width = size
    pictures = []
    for mask, (x1, y1, x2, y2) in zip(masks, boxes, strict=True):
        xs = (torch.arange(width) + 0.5 - x1) / (x2 - x1) * 2 - 1
        ys = (torch.arange(height) + 0.5 - y1) / (y2 - y1) * 2 - 1
        grid = torch.stack(torch.meshgrid(xs, ys, indexing='xy'), dim=-1)[None]
        sampled = F.grid_sample(mask[None, None], grid, align_corners=False)
        pictures.append(sampled[0, 0] >= 0.5)
    return torch.stack(pictures)


def _anchors(level: Tensor, stride: int, side: int) -> Tensor:
    """Return anchors (H * W * 3, 4) of three ratios centred at cells' corners."""
    rows, columns = level.shape[2:]
    return torch.tensor(
        [
            [
                column * stride - side / math.sqrt(ratio) / 2,
                row * stride - side * math.sqrt(ratio) / 2,
                column * stride + side / math.sqrt(ratio) / 2,
                row * stride + side * math.sqrt(ratio) / 2,
            ]
            for row in range(rows)
            for column in range(columns)
            for ratio in (0.5, 1, 2)
        ]
    )


def _decode(boxes: Tensor, deltas: Tensor) -> Tensor:
    width, height = boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1]
    x = boxes[:, 0] + 0.5 * width + deltas[:, 0] * width
    y = boxes[:, 1] + 0.5 * height + deltas[:, 1] * height
    limit = math.log(1000 / 16)
    width = width * deltas[:, 2].clamp(max=limit).exp()
    height = height * deltas[:, 3].clamp(max=limit).exp()
    corners = (x - width / 2, y - height / 2, x + width / 2, y + height / 2)
    return torch.stack(corners, dim=1)


def _clip(boxes: Tensor, size: Size) -> Tensor:
    height, width = size
    limits = (width, height, width, height)
    sides = zip(boxes.unbind(dim=1), limits, strict=True)
    return torch.stack([side.clamp(0, limit) for side, limit in sides], dim=1)


def _nonempty(boxes: Tensor) -> Tensor:
    return (boxes[:, 2] > boxes[:, 0]) & (boxes[:, 3] > boxes[:, 1])


def _overlap(box: Tensor, others: Tensor) -> Tensor:
    low = torch.maximum(box[:2], others[:, :2])
    high = torch.minimum(box[2:], others[:, 2:])
    shared = (high - low).clamp(min=0).prod(dim=1)
    areas = (others[:, 2:] - others[:, :2]).prod(dim=1)
    return shared / ((box[2:] - box[:2]).prod() + areas - shared)


def _pool(levels: Sequence[Tensor], boxes: Tensor, side: int) -> Tensor:
    """Pool each box from the level of its size: p4 for 224 x 224 pixels."""
    pooled = []
    for box in boxes:
        area = float((box[2] - box[0]) * (box[3] - box[1]))
        level = math.floor(4 + math.log2(math.sqrt(area) / 224 + 1e-8))
        level = min(max(level, 2), 5)
        roi = torch.cat([box.new_zeros(1), box])[None]
        features = levels[level - 2].contiguous()
        pooled.append(roi_align(features, roi, side, 1 / 2**level, 0, 'avg', True))
    return torch.cat(pooled) if pooled else levels[0].new_zeros(0, 1, side, side)


def _convolutions(state: State, name: str, x: Tensor) -> Tensor:
    """Apply a RoI head's four convolutions, each with a LayerNorm over channels."""
    for i in range(1, 5):
        x = F.conv2d(x, state[f'roi_heads.{name}{i}.weight'], padding=1)
        mean, variance = x.mean(dim=1), x.var(dim=1, correction=0)
        x = (x - mean[:, None]) / torch.sqrt(variance[:, None] + 1e-6)
        scale, shift = (
            state[f'roi_heads.{name}{i}.norm.{leaf}'] for leaf in ('weight', 'bias')
        )
        x = F.relu(x * scale[:, None, None] + shift[:, None, None])
    return x


def _linear(state: State, name: str, x: Tensor) -> Tensor:
    weight, bias = (state[f'roi_heads.{name}.{leaf}'] for leaf in ('weight', 'bias'))
    return F.linear(x, weight, bias)
