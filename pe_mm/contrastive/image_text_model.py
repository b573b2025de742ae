"""PE-Core's two towers, trained to tell which text belongs to an image or a clip."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from mmengine.model import BaseModel
from mmengine.registry import MODELS
from mmengine.structures import BaseDataElement
from torch import Tensor, nn

from pe_mm.checkpoints.mmengine_loading import pretrained_cfg, resolve_init_cfg

from .contrastive_loss import contrastive_loss
from .loading import load_image_text_weights
from .mask_regularization import MaskRegularization
from .text_encoder import build_text_encoder, to_token_ids


@MODELS.register_module()
class ImageTextModel(BaseModel):
    """Embed images, clips and texts in one space (arXiv 2504.13181, section 2).

    A clip's embedding is the mean of its frames' normalised embeddings.

    Args:
        image_encoder: Config of a ``PerceptionEncoder`` with ``with_pooling=True``, and
            with ``with_mask_token=True`` for mask regularisation.
        text_encoder: Fields of open_clip's ``TextTransformer``: ``context_length``,
            ``width``, ``heads``, ``layers`` and others; ``with_cp=True`` recomputes
            activations. It embeds in as many channels as the image encoder.
        mask_regularization: Arguments of ``MaskRegularization``; None without.
        initial_logit_scale: What similarities are first multiplied with; learned.
        max_logit_scale: Its largest value (PE-Core's: 100).
        pretrained: Load the official weights of both towers in ``init_weights``; the
            same as ``init_cfg=dict(type='Pretrained', checkpoint=<the variant's>)``.
        data_preprocessor: Config of ``pe_mm.ImageTextPreprocessor``.
        init_cfg: mmengine's initialisation config. With ``type='Pretrained'`` the
            weights go through ``load_image_text_weights``, strictly.

    Attributes:
        image_encoder: The image tower.
        text_encoder: The text tower, open_clip's.
        logit_scale: Logarithm of what similarities are multiplied with.

    Raises:
        ImportError: open_clip is not installed.
        ValueError: The towers' options do not fit together.
    """

    _is_init: bool

    def __init__(
        self,
        image_encoder: dict,
        text_encoder: Mapping[str, Any],
        *,
        mask_regularization: Mapping[str, Any] | None = None,
        initial_logit_scale: float = 1 / 0.07,
        max_logit_scale: float = 100.0,
        pretrained: bool = False,
        data_preprocessor: dict | None = None,
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        super().__init__(data_preprocessor)
        self.image_encoder = MODELS.build(image_encoder)
        self.mask_regularization = (
            None
            if mask_regularization is None
            else MaskRegularization(**mask_regularization)
        )
        self._check_image_encoder()
        if not 1 <= initial_logit_scale <= max_logit_scale:
            raise ValueError(
                'initial_logit_scale must be between 1 and max_logit_scale='
                f'{max_logit_scale}, got {initial_logit_scale}'
            )
        self.max_logit_scale = max_logit_scale
        self.logit_scale = nn.Parameter(torch.tensor(math.log(initial_logit_scale)))
        variant = self.image_encoder.variant
        self.init_cfg = resolve_init_cfg(variant, pretrained, init_cfg)
        self.image_encoder.expect_weights(pretrained_cfg(self.init_cfg))
        self.text_encoder, self.tokenizer = build_text_encoder(
            text_encoder, output_dim=variant.embed_dim or variant.width
        )

    def _check_image_encoder(self) -> None:
        encoder = self.image_encoder
        if not getattr(encoder, 'with_pooling', False):
            raise ValueError(
                'image_encoder must be a PerceptionEncoder that pools an embedding: '
                "dict(type='pe_mm.PerceptionEncoder', with_pooling=True, ...), its "
                "variant with pool='attn'"
            )
        if encoder.output_class_token:
            raise ValueError(
                'image_encoder: output_class_token has no use here; leave it out'
            )
        wanted = self.mask_regularization is not None
        if wanted != (encoder.mask_token is not None):
            raise ValueError(
                'image_encoder: with_mask_token must be True where there is '
                'mask_regularization, and only there: without, the token would never '
                f'get a gradient. Got with_mask_token={not wanted} and '
                f'mask_regularization={"given" if wanted else None}'
            )

    def init_weights(self) -> None:
        """Load the configured weights, or initialise as mmengine does.

        Raises:
            pe_mm.checkpoints.CheckpointError: The weights do not fit this model.
        """
        cfg = pretrained_cfg(self.init_cfg)
        if cfg is None:
            super().init_weights()
        elif not self._is_init:
            load_image_text_weights(self, cfg['checkpoint'])
            self._is_init = True

    def forward(
        self,
        inputs: Tensor,
        data_samples: Sequence[BaseDataElement] | None = None,
        mode: str = 'tensor',
    ) -> Any:
        """Do what mmengine's loops ask for.

        Args:
            inputs: (B, 3, H, W) images or (B, T, 3, H, W) clips; RGB, mean = std = 0.5
                of the 0-1 range.
            data_samples: One per input; with a ``caption`` for 'loss'.
            mode: 'loss', 'predict' or 'tensor'.

        Returns:
            For 'loss' a dict of losses and the logit scale; for 'predict' the data
            samples with ``visual_feature``, (D,), added, and ``text_features``, (n, D),
            where they have ``captions`` or one ``caption``; for 'tensor' the (B, D)
            visual features.

        Raises:
            ValueError: The mode is unknown, or the inputs or data samples do not fit.
        """
        if mode == 'tensor':
            return self.encode_visual(inputs)
        if mode not in ('loss', 'predict'):
            raise ValueError(
                f"mode must be 'loss', 'predict' or 'tensor', got {mode!r}"
            )
        if data_samples is None or len(data_samples) != len(inputs):
            given = 'none' if data_samples is None else len(data_samples)
            raise ValueError(
                f'mode={mode!r} needs one data sample per input: got {len(inputs)} '
                f'inputs and {given} data samples'
            )
        if mode == 'loss':
            return self.loss(inputs, data_samples)
        return self.predict(inputs, data_samples)

    def loss(
        self, inputs: Tensor, data_samples: Sequence[BaseDataElement]
    ) -> dict[str, Tensor]:
        """Return the losses of a batch of pairs; arguments as in ``forward``.

        Returns:
            ``loss_contrastive``, ``loss_mask`` with mask regularisation, and
            ``logit_scale``, detached.
        """
        captions = [sample.get('caption') for sample in data_samples]
        if None in captions:
            raise ValueError(
                f'data sample {captions.index(None)} has no caption to learn from'
            )
        with torch.no_grad():
            self.logit_scale.clamp_(0, math.log(self.max_logit_scale))
        scale = self.logit_scale.exp()
        frames = _frames(inputs)
        maps, embeddings = self.image_encoder.forward_with_embedding(frames)
        visual = _mean_of_frames(F.normalize(embeddings, dim=-1), inputs)
        losses = {
            'loss_contrastive': contrastive_loss(
                visual, self.encode_text(captions), scale
            ),
            'logit_scale': scale.detach(),
        }
        if self.mask_regularization is not None:
            losses['loss_mask'] = self.mask_regularization(
                self.image_encoder, frames, maps[-1]
            )
        return losses

    def predict(
        self, inputs: Tensor, data_samples: Sequence[BaseDataElement]
    ) -> list[BaseDataElement]:
        """Add features to the data samples; arguments and result as in ``forward``."""
        for sample, feature in zip(
            data_samples, self.encode_visual(inputs), strict=True
        ):
            sample.set_data({'visual_feature': feature})
        captioned = [(sample, _captions(sample)) for sample in data_samples]
        captioned = [(sample, captions) for sample, captions in captioned if captions]
        if captioned:
            features = self.encode_text(
                [text for _, texts in captioned for text in texts]
            )
            counts = [len(captions) for _, captions in captioned]
            for (sample, _), part in zip(
                captioned, features.split(counts), strict=True
            ):
                sample.set_data({'text_features': part})
        return list(data_samples)

    def encode_visual(self, inputs: Tensor, *, normalize: bool = True) -> Tensor:
        """Embed images or clips, by their dimensions; see the two methods for them."""
        embeddings = self.image_encoder.embed_image(_frames(inputs))
        if normalize:
            embeddings = F.normalize(embeddings, dim=-1)
        return _mean_of_frames(embeddings, inputs)

    def encode_image(self, image: Tensor, *, normalize: bool = True) -> Tensor:
        """Embed images.

        Args:
            image: (B, 3, H, W), RGB, mean = std = 0.5 of the 0-1 range.
            normalize: Whether to scale embeddings to length 1.

        Returns:
            (B, D).

        Raises:
            ValueError: The image has other dimensions.
        """
        _check_dim('image', image, '(B, 3, H, W)', 4)
        return self.encode_visual(image, normalize=normalize)

    def encode_video(self, video: Tensor, *, normalize: bool = True) -> Tensor:
        """Embed clips: the mean of their frames' embeddings, not normalised again.

        Args:
            video: (B, T, 3, H, W), RGB, mean = std = 0.5 of the 0-1 range.
            normalize: Whether to scale each frame's embedding to length 1.

        Returns:
            (B, D).

        Raises:
            ValueError: The video has other dimensions.
        """
        _check_dim('video', video, '(B, T, 3, H, W)', 5)
        return self.encode_visual(video, normalize=normalize)

    def encode_text(
        self, texts: Sequence[str] | Tensor, *, normalize: bool = True
    ) -> Tensor:
        """Embed texts.

        Args:
            texts: Texts, cut to the context length; or (N, length) token ids.
            normalize: Whether to scale embeddings to length 1.

        Returns:
            (N, D).

        Raises:
            ValueError: It is neither texts nor token ids.
        """
        ids = to_token_ids(texts, self.tokenizer, self.logit_scale.device)
        features: Tensor = self.text_encoder(ids)
        return F.normalize(features, dim=-1) if normalize else features


def _captions(sample: BaseDataElement) -> list[str]:
    if 'captions' in sample:
        return list(sample.captions)
    return [sample.caption] if 'caption' in sample else []


def _frames(inputs: Tensor) -> Tensor:
    if inputs.dim() not in (4, 5):
        raise ValueError(
            'inputs must be images (B, 3, H, W) or clips (B, T, 3, H, W), got '
            f'{tuple(inputs.shape)}'
        )
    return inputs if inputs.dim() == 4 else inputs.flatten(0, 1)


def _mean_of_frames(embeddings: Tensor, inputs: Tensor) -> Tensor:
    if inputs.dim() == 4:
        return embeddings
    return embeddings.unflatten(0, (inputs.shape[0], inputs.shape[1])).mean(1)


def _check_dim(name: str, tensor: Tensor, shape: str, dim: int) -> None:
    if tensor.dim() != dim:
        raise ValueError(f'{name} must be {shape}, got {tuple(tensor.shape)}')
