"""From logits of tokens to labels of pixels: nothing shifts, windows fit together."""

import pytest
import torch
import torch.nn.functional as F
from mmengine.registry import MODELS
from segmentors import CLASSES, batch, build, encoder, logits
from torch import nn

WHOLE_PATCHES = dict(size_divisor=14)
WHOLE_WINDOW = dict(size=(56, 56))
SLIDE = dict(mode='slide', crop_size=(56, 56), stride=(56, 56))


@MODELS.register_module()
class PatchMeans(nn.Module):
    """The mean of every patch, padded right and bottom as the encoder pads."""

    def __init__(self, patch: int) -> None:
        super().__init__()
        self.patch = patch

    def forward(self, images):
        height, width = images.shape[-2:]
        padding = (0, -width % self.patch, 0, -height % self.patch)
        return (F.avg_pool2d(F.pad(images, padding), self.patch),)


def build_means(patch, **options):
    """Build a segmentor whose logits are the means of the red, green, blue channel."""
    model = build(
        backbone=dict(type='PatchMeans', patch=patch),
        decode_head=dict(
            type='pe_mm.LinearSegmentationHead',
            in_channels=3,
            num_classes=3,
            norm_cfg=None,
        ),
        **options,
    )
    head = model.decode_head.conv_seg
    head.weight.data.copy_(torch.eye(3)[:, :, None, None])
    head.bias.data.zero_()
    return model


def ramp(height, width):
    """An image whose channels are, after normalisation, x, y and 0 in pixels."""
    y, x = torch.meshgrid(
        torch.arange(height) + 0.5, torch.arange(width) + 0.5, indexing='ij'
    )
    rgb = torch.stack([x, y, torch.zeros_like(x)])
    return rgb.flip(0) * 127.5 + 127.5


def test_padding__whole_patches__does_not_shift_the_map():
    image = ramp(427, 561)
    x, y, _ = logits(build_means(14, padding=WHOLE_PATCHES), image)

    assert x.shape == (427, 561)
    # Between the centres of the first and the last patch without padding, a bilinear
    # resize of a ramp is the ramp.
    columns, rows = torch.arange(7, 553), torch.arange(7, 413)
    torch.testing.assert_close(x[200, columns], columns + 0.5, rtol=0, atol=1e-2)
    torch.testing.assert_close(y[rows, 300], rows + 0.5, rtol=0, atol=1e-2)


def test_padding__whole_window__does_not_shift_and_pads_no_larger_image():
    window = dict(test_cfg=dict(SLIDE, stride=(28, 28)))
    model = build_means(14, padding=WHOLE_WINDOW, **window)

    x, y, _ = logits(model, ramp(50, 47))
    columns, rows = torch.arange(7, 35), torch.arange(7, 35)
    torch.testing.assert_close(x[20, columns], columns + 0.5, rtol=0, atol=1e-2)
    torch.testing.assert_close(y[rows, 20], rows + 0.5, rtol=0, atol=1e-2)
    larger = ramp(56, 61)
    unpadded = logits(build_means(14, **window), larger)
    assert torch.equal(logits(model, larger), unpadded)


def test_padding__left_to_the_encoder__shifts_by_what_it_padded():
    image = ramp(427, 561)
    x, y, _ = logits(build_means(14), image)

    # 41 patches cover 574 pixels, 31 cover 434: maps are squeezed into 561 and 427.
    columns, rows = torch.arange(7, 540), torch.arange(7, 400)
    squeezed = (columns + 0.5) * 574 / 561
    torch.testing.assert_close(x[200, columns], squeezed, rtol=0, atol=2e-2)
    torch.testing.assert_close(
        y[rows, 300], (rows + 0.5) * 434 / 427, rtol=0, atol=2e-2
    )
    assert (x[200, 530] - 530.5).item() == pytest.approx(12.3, abs=0.1)


@pytest.mark.parametrize('padding', [None, WHOLE_PATCHES, WHOLE_WINDOW])
@pytest.mark.parametrize('options', [{}, dict(test_cfg=SLIDE)])
def test_predict__427_by_561_patch_14__is_of_the_images_size(padding, options):
    model = build(
        backbone=encoder(14),
        decode_head=dict(
            type='pe_mm.LinearSegmentationHead',
            in_channels=[32] * 4,
            num_classes=CLASSES,
        ),
        padding=padding,
        **options,
    )
    (sample,) = model.eval().test_step(batch([torch.randint(256, (3, 427, 561))]))

    assert sample.seg_logits.data.shape == (CLASSES, 427, 561)
    assert sample.pred_sem_seg.data.shape == (1, 427, 561)
    assert torch.equal(sample.pred_sem_seg.data[0], sample.seg_logits.data.argmax(0))


def linear(**options):
    return build(
        backbone=encoder(14),
        decode_head=dict(
            type='pe_mm.LinearSegmentationHead',
            in_channels=[32] * 4,
            num_classes=CLASSES,
            norm_cfg=dict(type='BN'),
        ),
        **{'padding': WHOLE_PATCHES, **options},
    ).eval()


@pytest.mark.parametrize('size', [(56, 56), (50, 47)])
def test_slide__window_of_the_images_size_or_larger__equals_whole(size):
    whole, slide = linear(), linear(test_cfg=SLIDE)
    slide.load_state_dict(whole.state_dict())
    image = torch.randint(256, (3, *size))

    torch.testing.assert_close(logits(slide, image), logits(whole, image))


@pytest.mark.parametrize('stride', [(56, 56), (37, 41)])
@pytest.mark.parametrize('size', [(112, 168), (130, 97)])
def test_slide__tokens_of_one_pixel__equals_whole(stride, size):
    image = torch.randint(256, (3, *size))
    slide = build_means(1, test_cfg=dict(SLIDE, stride=stride))

    torch.testing.assert_close(logits(slide, image), logits(build_means(1), image))


def test_slide__windows_side_by_side__are_predicted_one_by_one():
    model = linear(test_cfg=SLIDE)
    image = torch.randint(256, (3, 56, 112))

    halves = [logits(model, half) for half in image.split(56, dim=2)]
    torch.testing.assert_close(logits(model, image), torch.cat(halves, dim=2))


def test_slide__overlap__is_the_mean_of_both_windows():
    model = linear(test_cfg=dict(SLIDE, stride=(56, 28)))
    image = torch.randint(256, (3, 56, 84))
    left, right = logits(model, image[..., :56]), logits(model, image[..., 28:])

    found = logits(model, image)
    torch.testing.assert_close(found[..., :28], left[..., :28])
    torch.testing.assert_close(found[..., 56:], right[..., 28:])
    overlap = (left[..., 28:] + right[..., :28]) / 2
    torch.testing.assert_close(found[..., 28:56], overlap)
