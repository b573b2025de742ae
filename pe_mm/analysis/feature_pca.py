"""Features as colours: blur, three principal components, LCh (arXiv 2504.13181, B.3.2).

The paper blurs because the principal components of raw features are drawn to global
tokens. It does not say which ranges the components are scaled to; those here are
``pe_mm``'s choice, as is the rule for the foreground.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torchvision.transforms.functional import gaussian_blur

# Lightness and chroma keep away from black, white and grey, where hues cannot be told
# apart; the hue stops before it comes round to where it began.
_LIGHTNESS = (25.0, 90.0)
_CHROMA = (5.0, 55.0)
_HUE = (0.0, 300.0)
# Percentiles that the ends of the colours stand for: single tokens do not decide.
_RANGE = (1.0, 99.0)
BASES = ('all', 'layer')


@dataclass(frozen=True)
class FeaturePca:
    """A basis of three principal components, and the range of its scores.

    Attributes:
        mean: (C,).
        components: (3, C), orthonormal, of falling variance; the largest entry of each
            is positive.
        explained: (3,) share of the variance that each explains.
        low: (3,) score that becomes 0.
        high: (3,) score that becomes 1.
    """

    mean: Tensor
    components: Tensor
    explained: Tensor
    low: Tensor
    high: Tensor

    @classmethod
    def fit(cls, tokens: Tensor) -> 'FeaturePca':
        """Find the basis of tokens (N, C).

        Raises:
            ValueError: There are fewer than four tokens, or they are all alike.
        """
        tokens = tokens.detach().double()
        mean = tokens.mean(0)
        centered = tokens - mean
        variance, vectors = torch.linalg.eigh(centered.T @ centered)
        if len(tokens) < 4 or not variance[-1] > 0:
            raise ValueError(
                f'{len(tokens)} tokens have no three principal components; four that '
                'differ are needed: use larger images, or more'
            )
        components = vectors[:, -3:].T.flip(0)
        largest = components.abs().argmax(1, keepdim=True)
        components = components * components.gather(1, largest).sign()
        scores = (centered @ components.T).cpu().numpy()
        low, high = torch.from_numpy(np.percentile(scores, _RANGE, axis=0)).to(mean)
        explained = variance[-3:].flip(0) / variance.sum()
        return cls(mean, components, explained, low, high)

    def project(self, map_: Tensor) -> NDArray[np.float32]:
        """Return (rows, columns, 3) scores, scaled to 0..1, of a (C, rows, columns)."""
        scores = (
            map_.detach().permute(1, 2, 0).double() - self.mean
        ) @ self.components.T
        scaled = (scores - self.low) / (self.high - self.low).clamp(min=1e-12)
        return scaled.clamp(0, 1).float().cpu().numpy()


@dataclass(frozen=True)
class FeatureColors:
    """Feature pictures of images and layers.

    Attributes:
        components: [image][layer] (rows, columns, 3) scores in 0..1.
        colors: [image][layer] (rows, columns, 3) RGB, white in the background.
        foreground: [image] (rows, columns), all true where nothing was left out.
        bases: [layer], the same one for all layers where it is shared.
    """

    components: list[list[NDArray[np.float32]]]
    colors: list[list[NDArray[np.uint8]]]
    foreground: list[NDArray[np.bool_]]
    bases: list[FeaturePca]


def color_features(
    maps: Sequence[Sequence[Tensor]], *, basis: str = 'all', foreground: bool = False
) -> FeatureColors:
    """Colour the features of images and layers so that colours can be compared.

    Each layer is blurred, centred and scaled to the same variance over all images, so
    that the deepest layers, whose features are the longest, do not decide alone.

    Args:
        maps: [image][layer] (1, C, rows, columns); images may differ in size.
        basis: 'all' for one basis of all images and layers, 'layer' for one per layer,
            of all images.
        foreground: Colour, and fit to, the foreground only (``foreground_masks``).

    Raises:
        ValueError: An unknown basis, or too few tokens.
    """
    if basis not in BASES:
        raise ValueError(f'basis must be one of {BASES}, got {basis!r}')
    layers = [
        _standardize([blur_map(image[index]) for image in maps])
        for index in range(len(maps[0]))
    ]
    masks = [np.ones(map_.shape[-2:], np.bool_) for map_ in layers[-1]]
    if foreground:
        masks = foreground_masks(layers[-1])
    tokens = [_tokens(layer, masks) for layer in layers]
    if basis == 'all':
        bases = [FeaturePca.fit(torch.cat(tokens))] * len(layers)
    else:
        bases = [FeaturePca.fit(layer) for layer in tokens]
    components = [
        [pca.project(layer[image]) for pca, layer in zip(bases, layers, strict=True)]
        for image in range(len(maps))
    ]
    colors = [
        [np.where(mask[..., None], lch_colors(scores), 255) for scores in image]
        for image, mask in zip(components, masks, strict=True)
    ]
    return FeatureColors(
        components, [[c.astype(np.uint8) for c in row] for row in colors], masks, bases
    )


def blur_map(map_: Tensor) -> Tensor:
    """Average a map and its blur by a Gaussian of 3 x 3 tokens and sigma 1.

    Args:
        map_: (B, C, rows, columns).

    Raises:
        ValueError: The map is a single row or column.
    """
    if min(map_.shape[-2:]) < 2:
        raise ValueError(
            f'a map of {map_.shape[-2]} x {map_.shape[-1]} tokens cannot be blurred; '
            'use a larger image'
        )
    return 0.5 * map_ + 0.5 * gaussian_blur(map_, [3, 3], [1.0, 1.0])


def foreground_masks(maps: Sequence[Tensor]) -> list[NDArray[np.bool_]]:
    """Tell foreground from background by the first principal component.

    It is split where Otsu's method says; the background is the part that has more of
    the images' borders.

    Args:
        maps: (C, rows, columns) of each image.

    Returns:
        (rows, columns) per image.
    """
    everywhere = [np.ones(map_.shape[-2:], np.bool_) for map_ in maps]
    pca = FeaturePca.fit(_tokens(maps, everywhere))
    scores = [
        np.rint(255 * pca.project(map_)[..., 0]).astype(np.uint8) for map_ in maps
    ]
    all_scores = np.concatenate([image.ravel() for image in scores])
    limit, _ = cv2.threshold(all_scores, 0, 255, cv2.THRESH_BINARY + cv2.THRESH_OTSU)
    high = [image > limit for image in scores]
    borders = np.concatenate(
        [np.r_[mask[0], mask[-1], mask[1:-1, 0], mask[1:-1, -1]] for mask in high]
    )
    return [~mask if borders.mean() > 0.5 else mask for mask in high]


def lch_colors(components: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Turn three components into lightness, chroma and hue, and those into RGB.

    Args:
        components: (rows, columns, 3) in 0..1.
    """
    lightness, chroma, hue = (
        low + components[..., index] * (high - low)
        for index, (low, high) in enumerate((_LIGHTNESS, _CHROMA, _HUE))
    )
    a, b = (chroma * turn(np.radians(hue)) for turn in (np.cos, np.sin))
    lab = np.stack([lightness, a, b], axis=-1).astype(np.float32)
    rgb = cv2.cvtColor(lab, cv2.COLOR_LAB2RGB)
    return np.rint(255 * np.clip(rgb, 0, 1)).astype(np.uint8)


def _standardize(maps: Sequence[Tensor]) -> list[Tensor]:
    """Centre one layer's (1, C, rows, columns) maps, scale to a mean square of 1."""
    tokens = torch.cat([map_[0].flatten(1) for map_ in maps], dim=1)
    mean = tokens.mean(1)[:, None, None]
    scale = (tokens - tokens.mean(1, keepdim=True)).square().mean().sqrt()
    return [(map_[0] - mean) / scale.clamp(min=1e-12) for map_ in maps]


def _tokens(maps: Sequence[Tensor], masks: Sequence[NDArray[np.bool_]]) -> Tensor:
    """Return (N, C), the tokens of (C, rows, columns) maps that masks choose."""
    return torch.cat(
        [
            map_[:, torch.from_numpy(mask).to(map_.device)].T
            for map_, mask in zip(maps, masks, strict=True)
        ]
    )
