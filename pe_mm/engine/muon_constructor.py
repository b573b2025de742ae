"""Muon for the encoder's matrices, AdamW for everything else."""

from typing import Any

from mmengine.optim import OptimWrapper
from mmengine.registry import (
    OPTIM_WRAPPER_CONSTRUCTORS,
    OPTIM_WRAPPERS,
    OPTIMIZERS,
)
from torch import nn

from pe_mm.backbones import PerceptionEncoder
from pe_mm.backbones.block import Block


@OPTIM_WRAPPER_CONSTRUCTORS.register_module()
class MuonOptimWrapperConstructor:
    """Give the matrices of transformer blocks to Muon, all other parameters to AdamW.

    For ``optimizer=dict(type='timm.optim.Muon', ...)``, which contains both. Muon
    orthogonalises the update of a matrix (Jordan et al., 2024), which a transformer
    trained from scratch on few images gains most from; for embeddings, norms, biases
    and heads AdamW is the usual choice.

    Args:
        optim_wrapper_cfg: mmengine's config of the wrapper, with ``optimizer`` in it.
        paramwise_cfg: None, or ``dict(patch_kernel=True)``, which gives Muon the kernel
            of the patch embedding too, as a matrix of (channels, pixels): neighbouring
            pixels are nearly equal, which Muon makes up for and AdamW does not.

    Raises:
        ValueError: ``paramwise_cfg`` holds anything else.
    """

    def __init__(
        self, optim_wrapper_cfg: dict[str, Any], paramwise_cfg: dict | None = None
    ) -> None:
        options = dict(paramwise_cfg or {})
        self.patch_kernel = options.pop('patch_kernel', False)
        if options or not isinstance(self.patch_kernel, bool):
            raise ValueError(
                f'paramwise_cfg={paramwise_cfg!r} of MuonOptimWrapperConstructor must '
                'be left out or be dict(patch_kernel=True)'
            )
        self.optim_wrapper_cfg = optim_wrapper_cfg

    def __call__(self, model: nn.Module) -> OptimWrapper:
        """Build the optimizer wrapper of a model.

        Raises:
            ValueError: The model has no trainable transformer block of pe_mm's.
        """
        blocks = [module for module in model.modules() if isinstance(module, Block)]
        matrices = [
            parameter
            for block in blocks
            for parameter in block.parameters()
            if parameter.requires_grad and parameter.ndim == 2
        ]
        if not matrices:
            raise ValueError(
                'there is no trainable block of a PerceptionEncoder in the model; use '
                "mmengine's default constructor and optimizer=dict(type='AdamW', ...)"
            )
        if self.patch_kernel:
            matrices += [
                parameter
                for encoder in model.modules()
                if isinstance(encoder, PerceptionEncoder)
                for parameter in encoder.patch_embed.proj.parameters()
                if parameter.requires_grad and parameter.ndim == 4
            ]
        taken = {id(parameter) for parameter in matrices}
        others = [
            parameter
            for parameter in model.parameters()
            if parameter.requires_grad and id(parameter) not in taken
        ]
        wrapper = dict(self.optim_wrapper_cfg)
        wrapper.setdefault('type', 'OptimWrapper')
        optimizer = dict(wrapper.pop('optimizer'))
        optimizer['params'] = [
            {'params': matrices},
            {'params': others, 'use_fallback': True},
        ]
        wrapper['optimizer'] = OPTIMIZERS.build(optimizer)
        built: OptimWrapper = OPTIM_WRAPPERS.build(wrapper)
        return built
