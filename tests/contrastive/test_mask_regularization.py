import pytest
import torch
from image_text_models import MASKED, samples, tiny_model

from pe_mm.contrastive import MaskRegularization


@pytest.fixture
def images():
    return torch.randn(4, 3, 32, 32, generator=torch.Generator().manual_seed(1))


def test_call__planted_outputs__is_one_minus_cosine_at_hidden_patches():
    seen = torch.zeros(2, 2, 4, 4)
    seen[:, 0] = 1
    masks = []

    def encoder(images, hidden):
        masks.append(hidden)
        predicted = torch.zeros(len(images), 2, 4, 4)
        predicted[:, 1] = 1  # Orthogonal where patches are seen, which counts nothing.
        predicted = torch.where(
            hidden[:, None], torch.tensor([[3.0, 4.0]]).view(1, 2, 1, 1), predicted
        )
        return (predicted,)

    loss = MaskRegularization(batch_fraction=0.5, ratio=0.5, loss_weight=2.0)
    value = loss(encoder, torch.zeros(2, 3, 32, 32), seen)
    assert value.item() == pytest.approx(2 * (1 - 0.6))
    assert masks[0].sum((1, 2)).tolist() == [8]


@pytest.mark.parametrize(('fraction', 'count'), [(1 / 16, 1), (0.5, 2), (1, 4)])
def test_call__fraction__takes_that_many_images(images, fraction, count):
    model = tiny_model(mask_regularization=dict(MASKED, batch_fraction=fraction))
    sizes = []
    model.image_encoder.patch_embed.register_forward_pre_hook(
        lambda _, inputs: sizes.append(len(inputs[0]))
    )
    model(images, samples(['a'] * 4), mode='loss')
    assert sizes == [4, count]


def test_loss__two_losses__have_disjoint_gradients(images):
    """The mask loss reaches no whole image, the contrastive no hidden one."""
    model = tiny_model(mask_regularization=dict(MASKED, batch_fraction=1.0))
    whole, hidden = [], []

    def keep(module, inputs, output):
        output.retain_grad()
        (hidden if whole else whole).append(output)

    model.image_encoder.patch_embed.register_forward_hook(keep)
    for name, empty, reached in (
        ('loss_mask', whole, hidden),
        ('loss_contrastive', hidden, whole),
    ):
        whole.clear(), hidden.clear()
        model(images, samples(['a', 'b', 'c', 'd']), mode='loss')[name].backward()
        assert empty[0].grad is None
        assert reached[0].grad.abs().sum() > 0
    assert model.image_encoder.mask_token.grad is not None


def test_loss__hidden_patches__learn_to_be_as_seen(images):
    model = tiny_model(mask_regularization=dict(MASKED, batch_fraction=1.0))
    optimizer = torch.optim.Adam(model.parameters(), 3e-3)
    values = []
    for _ in range(20):
        loss = model(images, samples(['a'] * 4), mode='loss')['loss_mask']
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        values.append(loss.item())
    assert values[-1] < 0.7 * values[0]


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (dict(ratio=0), r'ratio must be in \(0, 1\], got 0'),
        (dict(batch_fraction=2), r'batch_fraction must be in \(0, 1\], got 2'),
        (dict(unit=0), 'unit must be an int >= 1, got 0'),
    ],
)
def test_build__out_of_range__says_so(options, message):
    with pytest.raises(ValueError, match=message):
        MaskRegularization(**options)


def test_call__nothing_hidden__says_what_to_change(images):
    model = tiny_model(mask_regularization=dict(MASKED, ratio=0.4, unit=4))
    with pytest.raises(ValueError, match='hides nothing in 4 x 4 patches'):
        model(images, samples(['a'] * 4), mode='loss')
