"""What encoders have in common: configured weights must be loaded, frozen stays so."""

from typing import Any, Self, SupportsIndex

from mmengine.model import BaseModule
from torch import nn

from pe_mm.checkpoints.mmengine_loading import pretrained_cfg


class EncoderBase(BaseModule):
    """Refuse to run without the configured weights, and keep frozen parts in eval mode.

    Args:
        init_cfg: mmengine's initialisation config; with ``type='Pretrained'`` the
            weights count as missing until they, or a checkpoint with all of the
            encoder's tensors, have been loaded.
    """

    _is_init: bool

    def __init__(self, init_cfg: dict | list[dict] | None) -> None:
        super().__init__(init_cfg)
        self._frozen_parts: list[nn.Module] = []
        self._missing_weights = pretrained_cfg(self.init_cfg)

    def train(self, mode: bool = True) -> Self:
        """Set training mode; what is frozen stays in eval mode."""
        super().train(mode)
        for part in self._frozen_parts:
            part.eval()
        return self

    def expect_weights(self, cfg: dict | None) -> None:
        """Refuse to run before the weights are loaded that a whole model configures.

        Args:
            cfg: The ``Pretrained`` part of the model's ``init_cfg``; None without.

        Raises:
            ValueError: The encoder's own ``init_cfg`` has weights too.
        """
        if cfg is not None and self._missing_weights is not None:
            raise ValueError(
                f'weights are configured for the whole model ({cfg["checkpoint"]!r}) '
                f'and for its encoder ({self._missing_weights["checkpoint"]!r}); '
                'leave one of them out'
            )
        self._missing_weights = self._missing_weights or cfg

    def _check_weights(self) -> None:
        """Make sure that nothing is computed with the weights of a fresh encoder.

        Raises:
            RuntimeError: The configured weights have not been loaded.
        """
        if self._missing_weights is not None:
            raise RuntimeError(
                f'the weights {self._missing_weights["checkpoint"]!r} are configured '
                'but not loaded: call init_weights() (mmengine does it before '
                'training) or load a checkpoint first; for a dry run, build the '
                'encoder without pretrained and init_cfg'
            )

    def _load_from_state_dict(self, state_dict: dict, prefix: str, *args: Any) -> None:
        super()._load_from_state_dict(state_dict, prefix, *args)
        if all(
            key in state_dict and state_dict[key].shape == value.shape
            for key, value in self.state_dict(prefix=prefix).items()
        ):
            # A later init_weights() of this encoder must not undo it.
            self._missing_weights = None
            self._is_init = True


def count_frozen(freeze: bool | int, depth: int) -> int:
    """Return how many blocks are to be frozen.

    Args:
        freeze: True for all, or how many from the first one on.
        depth: Blocks that are built.

    Raises:
        ValueError: There are not so many, or it is no number.
    """
    if not isinstance(freeze, SupportsIndex) or not 0 <= int(freeze) <= depth:
        raise ValueError(
            f'freeze={freeze!r} is impossible: {depth} blocks are built; use True '
            f'for the whole encoder, 1..{depth} for the first blocks, or False'
        )
    return depth if freeze is True else int(freeze)
