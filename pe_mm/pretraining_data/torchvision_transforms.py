"""Torchvision's transforms in a pipeline, by their names."""

import difflib
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from mmengine.registry import TRANSFORMS


@TRANSFORMS.register_module()
class TorchvisionTransforms:
    """Apply transforms of ``torchvision.transforms.v2`` to an item.

    All frames of a clip and the item's instance map get the same crop and flip; ids are
    resized by nearest neighbours, and changes of colour pass them by. PE's augmentation
    (arXiv 2504.13181, Tab. 18)::

        dict(
            type='pe_mm.TorchvisionTransforms',
            transforms=[
                dict(
                    type='RandomResizedCrop',
                    size=224,
                    scale=(0.08, 1),
                    ratio=(0.75, 1.3333),
                ),
                dict(type='ColorJitter', brightness=0.32, saturation=0.32),
                dict(type='RandomHorizontalFlip', p=0.5),
            ],
        )

    Args:
        transforms: One dict per transform: ``type``, its name in
            ``torchvision.transforms.v2``, and its arguments. ``interpolation`` may be
            a name, such as 'bicubic'. Transforms that hold others take them as dicts.

    Raises:
        ValueError: A transform is unknown, or does not take an argument.
    """

    def __init__(self, transforms: Sequence[Mapping[str, Any]]) -> None:
        from torchvision.transforms import v2

        self._apply = v2.Compose([_build(v2, settings) for settings in transforms])

    def __call__(self, item: dict[str, Any]) -> dict[str, Any]:
        """Transform an item in place of its image and its instance map.

        Args:
            item: ``inputs``, a uint8 tensor (3, H, W) or (T, 3, H, W), and
                ``data_samples``, whose ``instance_map`` (..., H, W) is optional.
        """
        from torchvision import tv_tensors

        image, sample = item['inputs'], item['data_samples']
        kind = tv_tensors.Image if image.ndim == 3 else tv_tensors.Video
        parts = [kind(image)]
        if 'instance_map' in sample:
            parts.append(tv_tensors.Mask(sample.instance_map))
        # Compose gives one argument back as it is, several as a tuple.
        image, *maps = self._apply(parts)
        if maps:
            sample.instance_map = maps[0].as_subclass(torch.Tensor)
        return {**item, 'inputs': image.as_subclass(torch.Tensor)}

    def __repr__(self) -> str:
        return f'TorchvisionTransforms({self._apply})'


def _build(v2: Any, settings: Mapping[str, Any]) -> Callable[..., Any]:
    if not isinstance(settings, Mapping) or 'type' not in settings:
        raise ValueError(
            "a transform must be a dict such as dict(type='Resize', size=224), got "
            f'{settings!r}'
        )
    arguments = dict(settings)
    name = arguments.pop('type')
    known = [
        key
        for key, value in vars(v2).items()
        if inspect.isclass(value) and issubclass(value, v2.Transform)
    ]
    if name not in known:
        near = difflib.get_close_matches(str(name), known, n=3)
        hint = f'did you mean {", ".join(near)}?' if near else f'known are {known}'
        raise ValueError(f'torchvision.transforms.v2 has no transform {name!r}; {hint}')
    if isinstance(arguments.get('interpolation'), str):
        arguments['interpolation'] = _interpolation(v2, arguments['interpolation'])
    if 'transforms' in arguments:
        inner = arguments['transforms']
        arguments['transforms'] = [_build(v2, settings) for settings in inner]
    try:
        transform: Callable[..., Any] = getattr(v2, name)(**arguments)
    except TypeError as error:
        raise ValueError(
            f'torchvision.transforms.v2.{name} cannot be made of {arguments}: {error}; '
            f'it takes {inspect.signature(getattr(v2, name))}'
        ) from error
    return transform


def _interpolation(v2: Any, name: str) -> Any:
    modes = [member.value for member in v2.InterpolationMode]
    if name not in modes:
        raise ValueError(f'interpolation must be one of {modes}, got {name!r}')
    return v2.InterpolationMode(name)
