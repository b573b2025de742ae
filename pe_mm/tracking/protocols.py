"""The settings under which tracking numbers were published."""

import math
from dataclasses import dataclass, replace
from typing import Any

_MOST_TOKENS = 32
SHAPES = ('square', 'circle')


@dataclass(frozen=True)
class Protocol:
    """All that a tracking number depends on besides the encoder and the clips.

    Attributes:
        name: Where the settings are from; with a '*' where some were changed.
        last_frames: Number of frames before the current one that labels come from,
            besides the first frame; 0 for the first frame alone.
        radius: How far from a token, in tokens, labels may come from; None for any
            distance.
        shape: Whether the neighbourhood is a 'square' or a 'circle'.
        top_k: Number of tokens, of all these frames together, that labels come from.
        temperature: Cosine similarities are divided by it before the softmax.
        side: Length in pixels of a frame's short side; None for that of the images that
            the encoder was trained on, but at most 32 patches.
        square: Whether frames become squares, or keep their proportions.
        multiple: What the long side is a multiple of where the patch divides it; the
            patch otherwise. The short side is one of the patch.
        round_up: Whether sides grow or shrink to that.
        bicubic: Frames are resized bicubic with antialiasing, else bilinear without.
        smooth: Soft labels are enlarged bilinearly to the resized frame's pixels, where
            the best one is taken, and their winner nearest to the native ones; else
            nearest to the native pixels at once.
    """

    name: str
    last_frames: int = 7
    radius: float | None = 12
    shape: str = 'square'
    top_k: int = 5
    temperature: float = 0.1
    side: int | None = 480
    square: bool = False
    multiple: int = 64
    round_up: bool = False
    bicubic: bool = False
    smooth: bool = True

    def __post_init__(self) -> None:
        """Check the numbers.

        Raises:
            ValueError: One makes no sense.
        """
        rules = {
            'last_frames': (self.last_frames >= 0, 'at least 0'),
            'radius': (
                self.radius is None or 0 <= self.radius < math.inf,
                'at least 0 tokens, or None',
            ),
            'shape': (self.shape in SHAPES, ' or '.join(SHAPES)),
            'top_k': (self.top_k >= 1, 'at least 1'),
            'temperature': (0 < self.temperature < math.inf, 'above 0'),
            'side': (self.side is None or self.side >= 1, 'at least 1 pixel'),
        }
        for name, (good, allowed) in rules.items():
            if not good:
                value = getattr(self, name)
                raise ValueError(f'tracking: {name} must be {allowed}, got {value!r}')

    def frame_size(
        self, height: int, width: int, *, patch: int, trained: int
    ) -> tuple[int, int]:
        """Return the (height, width) at which a frame is encoded.

        Args:
            height: Of the frame in pixels.
            width: Likewise.
            patch: Side of the encoder's patches in pixels.
            trained: Patches along a side of the images that the encoder was trained on.
        """
        side = min(trained, _MOST_TOKENS) * patch if self.side is None else self.side
        short = self._fit(side, patch)
        if self.square:
            return short, short
        step = self.multiple if self.multiple % patch == 0 else patch
        ratio = max(height, width) / min(height, width)
        # DINO's script makes 448 x 480 of a square; here it stays one.
        long = max(short, self._fit(side * ratio, step))
        return (short, long) if height <= width else (long, short)

    def _fit(self, length: float, step: int) -> int:
        # Proportions such as 480 * 854 / 480 are not always whole.
        steps = round(length / step, 6)
        whole = math.ceil(steps) if self.round_up else math.floor(steps)
        return max(1, whole) * step


# DINO: eval_video_segmentation.py of facebookresearch/dino.
# DINOv3: defaults of its segmentation_tracking notebook, at the smallest of the paper's
# three sizes (arXiv 2508.10104, D.5); --resolution 960 and 1440 are the others.
# PE: the paper (arXiv 2504.13181, B.3.3) gives 7 frames and images of 32 x 32 tokens,
# the encoder's own. It leaves the rest open; DINO's script, which its code names, fills
# it in.
PROTOCOLS = {
    protocol.name: protocol
    for protocol in (
        Protocol('dino'),
        Protocol(
            'dinov3',
            shape='circle',
            temperature=0.2,
            multiple=1,
            round_up=True,
            bicubic=True,
            smooth=False,
        ),
        Protocol('pe', side=None, square=True),
    )
}


def make_protocol(name: str, **changes: Any) -> Protocol:
    """Return a named protocol with some settings changed.

    Args:
        name: A name of ``PROTOCOLS``.
        changes: Fields of ``Protocol``.

    Raises:
        ValueError: There is no such protocol, or a setting makes no sense.
    """
    if name not in PROTOCOLS:
        raise ValueError(f'unknown protocol {name!r}; use {", ".join(PROTOCOLS)}')
    protocol = replace(PROTOCOLS[name], **changes)
    if protocol != PROTOCOLS[name]:
        return replace(protocol, name=f'{name}*')
    return protocol
