import copy
import math

import pytest
import torch
import torch.nn.functional as F
from image_text_models import MASKED, TEXT, VARIANT, samples, tiny_model
from mmengine.optim import OptimWrapper
from mmengine.registry import MODELS
from torch.optim import SGD

CAPTIONS = ['a red circle', 'two blue stars', 'a ring', 'nothing at all']


@pytest.fixture
def images():
    return torch.randn(4, 3, 32, 32, generator=torch.Generator().manual_seed(1))


def test_build__by_name__is_registered():
    cfg = dict(
        type='pe_mm.ImageTextModel',
        image_encoder=dict(
            type='pe_mm.PerceptionEncoder', variant=VARIANT, with_pooling=True
        ),
        text_encoder=TEXT,
    )
    assert type(MODELS.build(cfg)).__name__ == 'ImageTextModel'


def test_loss__images__is_cross_entropy_both_ways(images):
    model = tiny_model()
    losses = model(images, samples(CAPTIONS), mode='loss')
    visual = F.normalize(model.image_encoder.embed_image(images), dim=-1)
    text = F.normalize(model.text_encoder(model.tokenizer(CAPTIONS)), dim=-1)
    logits = visual @ text.T / 0.07
    targets = torch.arange(4)
    expected = F.cross_entropy(logits, targets) + F.cross_entropy(logits.T, targets)
    torch.testing.assert_close(losses['loss_contrastive'], expected / 2)
    torch.testing.assert_close(losses['logit_scale'], torch.tensor(1 / 0.07))
    assert set(losses) == {'loss_contrastive', 'logit_scale'}


@pytest.mark.parametrize('mask_regularization', [None, MASKED])
def test_loss__train_step__gives_every_parameter_a_gradient(
    images, mask_regularization
):
    model = tiny_model(mask_regularization=mask_regularization).train()
    losses = model(images, samples(CAPTIONS), mode='loss')
    total, logged = model.parse_losses(losses)
    total.backward()
    without = {n for n, p in model.named_parameters() if p.grad is None}
    assert without == {'image_encoder.head.bias'}
    assert not model.image_encoder.head.bias.any()
    assert logged['logit_scale'] == pytest.approx(1 / 0.07)
    assert ('loss_mask' in logged) == (mask_regularization is not None)


def test_train_step__accumulated__averages_the_losses_of_single_steps(images):
    """Each pair is told apart from those of its own step, and of no other."""
    model, other = tiny_model().train(), tiny_model().train()
    parts = [
        dict(inputs=images[i : i + 2], data_samples=samples(CAPTIONS[i : i + 2]))
        for i in (0, 2)
    ]
    accumulating = OptimWrapper(SGD(model.parameters(), 0.1), accumulative_counts=2)
    losses = [other(**part, mode='loss')['loss_contrastive'] for part in parts]
    joined = other(images, samples(CAPTIONS), mode='loss')['loss_contrastive']
    mean = (losses[0] + losses[1]) / 2
    assert mean < joined - 0.1
    mean.backward()
    SGD(other.parameters(), 0.1).step()

    before = copy.deepcopy(model.state_dict())
    model.train_step(parts[0], accumulating)
    torch.testing.assert_close(model.state_dict(), before, rtol=0, atol=0)
    model.train_step(parts[1], accumulating)
    assert not model.logit_scale.equal(before['logit_scale'])
    torch.testing.assert_close(model.state_dict(), other.state_dict())


def test_loss__frozen_image_tower__trains_text_alone(images):
    model = tiny_model(encoder=dict(freeze=True)).train()
    model(images, samples(CAPTIONS), mode='loss')['loss_contrastive'].backward()
    trained = {
        n.split('.')[0] for n, p in model.named_parameters() if p.grad is not None
    }
    assert trained == {'text_encoder', 'logit_scale'}


def test_loss__clips__take_the_mean_of_normalised_frames(images):
    model = tiny_model()
    clips = images[:, None] * torch.tensor([1.0, -0.5, 2.0]).view(1, 3, 1, 1, 1)
    frames = [model.encode_image(clips[:, t]) for t in range(3)]
    expected = torch.stack(frames).mean(0)
    torch.testing.assert_close(model(clips), expected)
    torch.testing.assert_close(model.encode_video(clips), expected)
    assert expected.norm(dim=-1).max() < 1

    loss = model(clips, samples(CAPTIONS), mode='loss')['loss_contrastive']
    logits = expected @ model.encode_text(CAPTIONS).T / 0.07
    targets = torch.arange(4)
    expected = F.cross_entropy(logits, targets) + F.cross_entropy(logits.T, targets)
    torch.testing.assert_close(loss, expected / 2)


def test_loss__scale_above_the_maximum__is_clamped_and_still_learns(images):
    model = tiny_model(max_logit_scale=20.0)
    torch.nn.init.constant_(model.logit_scale, math.log(50))
    losses = model(images, samples(CAPTIONS), mode='loss')
    losses['loss_contrastive'].backward()
    torch.testing.assert_close(losses['logit_scale'], torch.tensor(20.0))
    assert model.logit_scale.item() == pytest.approx(math.log(20))
    assert model.logit_scale.grad != 0


def test_predict__some_captioned__adds_normalised_features(images):
    model = tiny_model().eval()
    data_samples = samples(CAPTIONS)
    del data_samples[1].caption
    data_samples[2].set_metainfo({'captions': ['a ring', 'a red circle']})
    with torch.no_grad():
        predicted = model(images, data_samples, mode='predict')
        visual = torch.stack([sample.visual_feature for sample in predicted])
        torch.testing.assert_close(visual, model.encode_image(images))
        torch.testing.assert_close(
            predicted[2].text_features, model.encode_text(['a ring', 'a red circle'])
        )
        torch.testing.assert_close(
            predicted[3].text_features, model.encode_text(CAPTIONS[3:])
        )
    assert 'text_features' not in predicted[1]


def test_encode_text__texts_and_ids__are_the_same_and_long_ones_are_cut():
    model = tiny_model()
    ids = model.tokenizer(CAPTIONS)
    assert ids.shape == (4, 16)
    torch.testing.assert_close(model.encode_text(ids), model.encode_text(CAPTIONS))
    raw = model.encode_text(CAPTIONS, normalize=False)
    torch.testing.assert_close(F.normalize(raw, dim=-1), model.encode_text(CAPTIONS))
    cut = model.encode_text(['a ' * 14, 'a ' * 40])
    torch.testing.assert_close(cut[0], cut[1])


def test_encode_text__checkpointing__changes_no_gradient():
    gradients = []
    for with_cp in (False, True):
        model = tiny_model(text_encoder=dict(TEXT, with_cp=with_cp)).train()
        model.encode_text(CAPTIONS)[:, 0].sum().backward()
        gradients.append(model.text_encoder.positional_embedding.grad)
    torch.testing.assert_close(*gradients)


@pytest.mark.parametrize(
    ('encoder', 'options', 'message'),
    [
        (dict(with_pooling=False), {}, 'must be a PerceptionEncoder that pools'),
        (dict(with_mask_token=True), {}, 'would never get a gradient'),
        (
            dict(with_mask_token=False),
            dict(mask_regularization=MASKED),
            'with_mask_token must be True',
        ),
        (dict(output_class_token=True), {}, 'output_class_token has no use'),
        ({}, dict(initial_logit_scale=200), 'between 1 and max_logit_scale=100'),
        ({}, dict(text_encoder=dict(TEXT, depth=3)), r"unknown \['depth'\]"),
    ],
)
def test_build__options_that_do_not_fit__says_why(encoder, options, message):
    with pytest.raises(ValueError, match=message):
        tiny_model(encoder=encoder, **options)


def test_forward__bad_inputs__says_what_is_allowed(images):
    model = tiny_model()
    with pytest.raises(ValueError, match="'loss', 'predict' or 'tensor', got 'train'"):
        model(images, mode='train')
    with pytest.raises(ValueError, match='4 inputs and 3 data samples'):
        model(images, samples(CAPTIONS[:3]), mode='loss')
    without = samples(CAPTIONS)
    del without[2].caption
    with pytest.raises(ValueError, match='data sample 2 has no caption'):
        model(images, without, mode='loss')
    with pytest.raises(ValueError, match=r'images \(B, 3, H, W\) or clips'):
        model(images[0])
    with pytest.raises(ValueError, match=r'video must be \(B, T, 3, H, W\)'):
        model.encode_video(images)
    with pytest.raises(ValueError, match='image must be'):
        model.encode_image(images[None])
