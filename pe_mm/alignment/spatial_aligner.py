"""PE-Spatial's training: one student, frozen teachers, losses between their tokens."""

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self

import torch
from mmengine.logging import print_log
from mmengine.model import BaseModel
from mmengine.registry import MODELS
from mmengine.structures import BaseDataElement
from torch import Tensor, nn

from pe_mm.backbones import PerceptionEncoder

from .encoder_teacher import EncoderTeacher, check_one_map, check_whole_patches
from .masking import random_block_mask
from .tokens import to_tokens

TARGETS = ('teacher', 'mask_teacher')


@MODELS.register_module()
class SpatialAligner(BaseModel):
    """Train a student's tokens on what frozen teachers say of the same image.

    With ``TokenCosineLoss`` to a middle layer of PE-Core and ``PairwiseSimilarityLoss``
    to SAM's masks this is the alignment that makes PE-Spatial (arXiv 2504.13181,
    sections 5.2 and B.3.1); with both to PE-Spatial, the distillation of small models.

    The student sees the image with random blocks of patches hidden behind its mask
    token, the teachers the whole image; losses are of all tokens, hidden or not. Only
    the student (and the projector) train. Teachers are no submodules: their weights are
    in no optimizer, are not broadcast, and are in no checkpoint, so that each process
    and each resumed training loads them from their own files, by ``init_weights``.

    Args:
        backbone: Config of the student, a PerceptionEncoder with one output; its
            ``init_cfg`` says what it starts from.
        losses: Name, which should start with 'loss', -> config of a loss, with
            ``target`` in it: 'teacher' or 'mask_teacher'. None instead of a config
            switches a loss off; a teacher that no loss needs is not built.
        teacher: Config of an encoder with one output, the wanted layer.
        mask_teacher: Config of a ``MaskTeacher``.
        masking: ``dict(ratio=0.75, unit=2)``, see ``random_block_mask``; it needs
            ``with_mask_token=True`` in the backbone. None to hide nothing.
        projector: Project the student's tokens to the teacher's width by a linear layer
            for the losses that compare channels.
        teacher_grid: What to do where the teacher's grid is not the student's: 'same',
            'resize_image' or 'resize_features', see ``EncoderTeacher``.
        data_preprocessor: Config of the preprocessor, with mean = std = 127.5 and RGB.
        init_cfg: mmengine's initialisation config.

    Raises:
        ValueError: No loss, a loss without its teacher, widths that differ without a
            projector, an idle projector or mask token, several outputs, or a student
            that is no PerceptionEncoder or frozen.
    """

    def __init__(
        self,
        backbone: dict[str, Any],
        losses: Mapping[str, dict[str, Any] | None],
        *,
        teacher: dict[str, Any] | None = None,
        mask_teacher: dict[str, Any] | None = None,
        masking: dict[str, Any] | None = None,
        projector: bool = False,
        teacher_grid: str = 'same',
        data_preprocessor: dict[str, Any] | None = None,
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        super().__init__(data_preprocessor, init_cfg)
        self.backbone = MODELS.build(backbone)
        _check_student(self.backbone)
        self.masking = _check_masking(masking, self.backbone)
        self.losses, self.targets = _build_losses(losses)
        cfgs = {'teacher': teacher, 'mask_teacher': mask_teacher}
        _check_targets(self.targets, cfgs)
        # A plain dict, so that they are no submodules.
        self._teachers: dict[str, Any] = {}
        used = set(self.targets.values())
        if teacher is not None and 'teacher' in used:
            self._teachers['teacher'] = EncoderTeacher(teacher, teacher_grid)
        if mask_teacher is not None and 'mask_teacher' in used:
            self._teachers['mask_teacher'] = MODELS.build(mask_teacher)
        self.projector = self._build_projector(projector)

    @property
    def teachers(self) -> Mapping[str, Any]:
        """The teachers that are used, by 'teacher' and 'mask_teacher'."""
        return self._teachers

    def forward(
        self,
        inputs: Tensor,
        data_samples: Sequence[BaseDataElement] | None = None,
        mode: str = 'tensor',
    ) -> Any:
        """Do what mmengine asks of a model.

        Args:
            inputs: (B, 3, H, W), RGB, mean = std = 0.5 of the 0-1 range; H and W are
                multiples of the student's patch.
            data_samples: One per image, for the mask teacher.
            mode: 'loss', 'tensor' or 'predict'.

        Returns:
            'loss': name -> scalar. 'tensor': the student's map (B, C, rows, columns),
            nothing hidden. 'predict': a data sample per image, with its meta
            information and ``feature_map`` (C, rows, columns).

        Raises:
            ValueError: The mode is unknown, the image is no whole number of patches, or
                a teacher has another grid.
        """
        if mode == 'loss':
            return self.loss(inputs, data_samples)
        if mode not in ('tensor', 'predict'):
            raise ValueError(
                f"mode must be 'loss', 'tensor' or 'predict', got {mode!r}"
            )
        (feature_map,) = self.backbone(inputs)
        if mode == 'tensor':
            return feature_map
        samples = data_samples or [BaseDataElement()] * len(inputs)
        return [
            BaseDataElement(metainfo=sample.metainfo, feature_map=map_)
            for sample, map_ in zip(samples, feature_map, strict=True)
        ]

    def loss(
        self, inputs: Tensor, data_samples: Sequence[BaseDataElement] | None
    ) -> dict[str, Tensor]:
        """Compute the losses; arguments and errors as of ``forward``."""
        patch = self.backbone.patch_size
        check_whole_patches(inputs, patch, 'student')
        rows, columns = (side // patch for side in inputs.shape[-2:])
        hidden = None
        if self.masking is not None:
            hidden = random_block_mask(
                len(inputs), (rows, columns), device=inputs.device, **self.masking
            )
        # Their weights may be loaded after the model was moved, and FSDP moves the
        # parameters of submodules only.
        with torch.no_grad():
            targets = {
                name: teacher.to(inputs.device)(inputs, data_samples, (rows, columns))
                for name, teacher in self._teachers.items()
            }
        (feature_map,) = self.backbone(inputs, hidden)
        tokens = to_tokens(feature_map)
        projected = tokens if self.projector is None else self.projector(tokens)
        return {
            name: loss(projected if loss.same_width else tokens, targets[target])
            for (name, loss), target in zip(
                self.losses.items(), self.targets.values(), strict=True
            )
        }

    def init_weights(self) -> None:
        """Initialise the student, and load the teachers' own weights.

        Raises:
            pe_mm.checkpoints.CheckpointError: A file is missing or does not fit.
        """
        super().init_weights()
        for name, teacher in self._teachers.items():
            if hasattr(teacher, 'init_weights'):
                teacher.init_weights()
            if isinstance(teacher, EncoderTeacher) and not teacher.encoder.init_cfg:
                print_log(
                    f'the {name} has random weights: give it pretrained=True or '
                    "init_cfg=dict(type='Pretrained', checkpoint=...)",
                    logger='current',
                    level=logging.WARNING,
                )

    def _apply(self, fn: Callable[..., Any], recurse: bool = True) -> Self:
        # Devices and dtypes change for the teachers too.
        for teacher in self._teachers.values():
            teacher._apply(fn)
        return super()._apply(fn, recurse)

    def _build_projector(self, wanted: bool) -> nn.Linear | None:
        """Return the projector of the student's tokens.

        Raises:
            ValueError: One is needed and not wanted, or the reverse.
        """
        comparing = [name for name, loss in self.losses.items() if loss.same_width]
        if not comparing:
            if wanted:
                raise ValueError(
                    'projector=True, but no loss compares channels; leave it out'
                )
            return None
        own, width = self.backbone.embed_dims, self._teachers['teacher'].embed_dims
        if wanted:
            return nn.Linear(own, width)
        if own != width:
            raise ValueError(
                f'{", ".join(comparing)}: the student has {own} channels, the teacher '
                f'{width}; set projector=True, or choose encoders of equal width'
            )
        return None


def _build_losses(
    cfgs: Mapping[str, dict[str, Any] | None],
) -> tuple[nn.ModuleDict, dict[str, str]]:
    """Return the losses and their targets, by name.

    Raises:
        ValueError: There is none, or a target or name is impossible.
    """
    losses, targets = nn.ModuleDict(), dict[str, str]()
    for name, cfg in cfgs.items():
        if cfg is None:
            continue
        options = dict(cfg)
        target = options.pop('target', None)
        if target not in TARGETS or 'loss' not in name:
            raise ValueError(
                f"losses: {name!r} must have 'loss' in its name, as mmengine sums only "
                f'such, and target one of {TARGETS}; got target={target!r}'
            )
        losses[name], targets[name] = MODELS.build(options), target
        if target == 'mask_teacher' and losses[name].same_width:
            raise ValueError(
                f'losses: {name!r} compares channels, and those of a mask_teacher are '
                'no features; use pe_mm.PairwiseSimilarityLoss'
            )
    if not losses:
        raise ValueError('losses: all are switched off, nothing would be trained')
    return losses, targets


def _check_targets(
    targets: Mapping[str, str], cfgs: Mapping[str, dict[str, Any] | None]
) -> None:
    for name, target in targets.items():
        if cfgs[target] is None:
            raise ValueError(
                f'losses: {name!r} needs {target}, which is None; give its config, or '
                f'switch the loss off with {name}=None'
            )


def _check_student(backbone: Any) -> None:
    if not isinstance(backbone, PerceptionEncoder):
        raise ValueError(
            'the backbone, which is trained, must be a pe_mm.PerceptionEncoder, got '
            f'{type(backbone).__name__}; other encoders can be the teacher'
        )
    check_one_map(backbone, 'backbone')
    if not any(parameter.requires_grad for parameter in backbone.parameters()):
        raise ValueError(
            'the whole backbone is frozen, nothing would be trained; leave freeze out, '
            'or freeze fewer blocks'
        )


def _check_masking(
    masking: dict[str, Any] | None, backbone: Any
) -> dict[str, Any] | None:
    """Return the checked options of the mask.

    Raises:
        ValueError: They are out of range, or do not go with the student's mask token.
    """
    has_token = getattr(backbone, 'mask_token', None) is not None
    if masking is None:
        if has_token:
            raise ValueError(
                'masking=None leaves the mask token without gradients; build the '
                'backbone with with_mask_token=False'
            )
        return None
    if not {'ratio'} <= set(masking) <= {'ratio', 'unit'}:
        raise ValueError(
            f'masking must be dict(ratio=..., unit=...), got {dict(masking)}; unit may '
            'be left out'
        )
    random_block_mask(1, (1, 1), **masking)
    if not masking['ratio']:
        raise ValueError('a masking ratio of 0 hides nothing; set masking=None')
    if not has_token:
        raise ValueError(
            'masking needs a mask token; build the backbone with with_mask_token=True, '
            'or set masking=None'
        )
    return masking
