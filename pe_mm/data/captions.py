"""Sentences that are true of a scene, derived from its geometry and labels."""

from collections import Counter
from collections.abc import Sequence
from itertools import permutations

import numpy as np

from .meshes import Floats
from .renderer import Labels
from .scene import RUG, WALL, Scene, Thing
from .solids import SOLIDS

NUMBERS = ('no', 'one', 'two', 'three', 'four', 'five', 'six', 'seven', 'eight')
CAPTIONS = 5  # Sentences per picture, as in COCO.

BESIDE = 0.08  # Picture widths between the middles of things told left and right.
IN_LINE = 0.2  # Picture widths between the middles of things told before and behind.
NEARER = 0.25  # Metres between the nearest points of things told nearer.
HIDDEN = 0.04  # Part of a thing that another covers if it partly hides it.
LARGER = 1.3  # Ratio of the visible areas of the largest thing and of the next.


def describe_thing(thing: Thing, *, article: bool = True) -> str:
    """Name a thing by colours, pattern and class: 'a red and white striped ball'."""
    material = thing.material
    words = material.color
    if material.pattern != 'plain':
        words = f'{material.color} and {material.second} {material.pattern}'
    text = f'{words} {thing.name}'
    if thing.name == 'stairs':
        text = f'set of {text}'
    return _with_article(text) if article else text


def object_captions(category: str, pattern: str, description: str) -> list[str]:
    """Caption a thing alone: by its class, by its pattern too, and by its looks.

    Args:
        category: Its class.
        pattern: Of its material.
        description: As ``describe_thing`` writes it.
    """
    several = 'set of ' if category == 'stairs' else ''
    names = [f'{several}{category}', f'{several}{pattern} {category}']
    texts = [*map(_with_article, names), description]
    return [f'{_capital(text)}.' for text in texts]


def write_captions(scene: Scene, labels: Labels, rng: np.random.Generator) -> list[str]:
    """Write up to five different true sentences about a scene.

    The first counts all the things by class, the second names them with their looks;
    the others tell where things are, their sizes, what hides what, and the room.
    """
    fixed = [_count_caption(scene), list_caption(scene)]
    more = [
        *_side_captions(scene, labels),
        *_depth_captions(scene, labels),
        *_size_captions(scene, labels),
        *_room_captions(scene, labels),
    ]
    more = sorted(set(more) - set(fixed))
    chosen = rng.permutation(len(more))[: CAPTIONS - len(fixed)]
    return fixed + [more[k] for k in sorted(chosen)]


def _count_caption(scene: Scene) -> str:
    counts = Counter(thing.name for thing in scene.things)
    parts = [_count_phrase(name, count) for name, count in sorted(counts.items())]
    total = len(scene.things)
    verb = 'is' if total == 1 else 'are'
    noun = 'object' if total == 1 else 'objects'
    return f'There {verb} {NUMBERS[total]} {noun}: {_enumerate(parts)}.'


def _count_phrase(name: str, count: int) -> str:
    if name == 'stairs':
        return 'one set of stairs' if count == 1 else f'{NUMBERS[count]} sets of stairs'
    return f'{NUMBERS[count]} {name if count == 1 else SOLIDS[name].plural}'


def list_caption(scene: Scene) -> str:
    """Name all the things with their looks, and what they stand on."""
    parts = _enumerate([describe_thing(thing) for thing in scene.things])
    return f'{_capital(parts)} {_ground(scene)}.'


def _side_captions(scene: Scene, labels: Labels) -> list[str]:
    """Left and right in the picture, for things whose middles are clearly apart."""
    middles = _middles(labels)
    captions = []
    for (a, first), (b, second) in permutations(_unique_names(scene), 2):
        if middles[b] - middles[a] > BESIDE:
            captions += [
                f'{_capital(first)} is to the left of {second}.',
                f'{_capital(second)} is to the right of {first}.',
            ]
    return captions


def _depth_captions(scene: Scene, labels: Labels) -> list[str]:
    """Before and behind, for things of which one is nearer, and what hides what."""
    middles = _middles(labels)
    depths = [scene.camera.to_camera(thing.vertices)[:, 2] for thing in scene.things]
    first_depth = [depth.min() for depth in depths]
    last_depth = [depth.max() for depth in depths]
    captions = []
    for (a, first), (b, second) in permutations(_unique_names(scene), 2):
        if hides(labels, a, b):
            captions.append(f'{_capital(first)} partly hides {second}.')
        if last_depth[a] < first_depth[b] and abs(middles[a] - middles[b]) < IN_LINE:
            captions.append(f'{_capital(first)} is in front of {second}.')
            captions.append(f'{_capital(second)} is behind {first}.')
        elif first_depth[b] - first_depth[a] > NEARER:
            captions.append(f'{_capital(first)} is nearer than {second}.')
    return captions


def _size_captions(scene: Scene, labels: Labels) -> list[str]:
    areas = labels.visible
    order = np.argsort(areas)
    if len(order) < 2 or areas[order[-1]] < LARGER * areas[order[-2]]:
        return []
    largest = describe_thing(scene.things[order[-1]], article=False)
    return [f'The largest object in the picture is {_with_article(largest)}.']


def _room_captions(scene: Scene, labels: Labels) -> list[str]:
    captions = []
    wall = scene.room.wall.style
    if (labels.semantics == WALL).mean() > 0.05:
        captions.append(f'A room with a {_floor(scene)} floor and a {wall} wall.')
    if (labels.semantics == RUG).mean() > 0.03 and scene.room.rug is not None:
        shape = 'round' if scene.room.rug.round else 'rectangular'
        captions.append(f'A {shape} rug lies on a {_floor(scene)} floor.')
    return captions


def hides(labels: Labels, a: int, b: int) -> bool:
    """Whether thing a covers a part of thing b in the picture."""
    covered = (labels.instances[labels.alone[b]] == a + 1).sum()
    return bool(covered >= HIDDEN * labels.alone[b].sum())


def _middles(labels: Labels) -> Floats:
    """Mean column of every visible thing, in picture widths."""
    width = labels.instances.shape[1]
    columns = np.broadcast_to(np.arange(width) + 0.5, labels.instances.shape)
    visible = labels.visible
    sums = np.bincount(
        labels.instances.ravel(), columns.ravel(), minlength=len(visible) + 1
    )
    return sums[1:] / np.maximum(visible, 1) / width


def _unique_names(scene: Scene) -> list[tuple[int, str]]:
    """List the things (by index) whose names fit no other thing of the scene."""
    names = [describe_thing(thing) for thing in scene.things]
    return [(k, name) for k, name in enumerate(names) if names.count(name) == 1]


def _ground(scene: Scene) -> str:
    return f'on {_with_article(_floor(scene))} floor'


def _floor(scene: Scene) -> str:
    return scene.room.floor.style


def _enumerate(parts: Sequence[str]) -> str:
    if len(parts) == 1:
        return parts[0]
    return f'{", ".join(parts[:-1])} and {parts[-1]}'


def _with_article(text: str) -> str:
    return f'{"an" if text[0] in "aeiou" else "a"} {text}'


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]
