"""The aligner: what trains, what is saved, that both losses fall, and bad configs."""

from unittest.mock import patch

import pytest
import torch
import torch.distributed as dist
import torch.nn.functional as F
from alignment_models import STUDENT, TEACHER, build, config, encoder, scenes
from mmengine.logging import MMLogger
from mmengine.model import MMDistributedDataParallel
from torch import nn

from pe_mm import PerceptionEncoder
from pe_mm.alignment import random_block_mask, spatial_aligner
from pe_mm.checkpoints import load_encoder_weights
from pe_mm.checkpoints.converting import convert_state_dict

CORE = {'loss_core': {'type': 'pe_mm.TokenCosineLoss', 'target': 'teacher'}}


def step(model, images, samples):
    """Compute the losses and their gradients."""
    losses = model(images, samples, 'loss')
    model.zero_grad()
    sum(losses.values()).backward()
    return losses


def test_loss__masks_and_teachers__equal_a_plain_computation():
    model = build()
    images, samples = scenes(2)
    teacher = model.teachers['teacher'].encoder

    torch.manual_seed(5)
    losses = model(images, samples, 'loss')

    torch.manual_seed(5)
    hidden = random_block_mask(2, (4, 4), 0.75, 2)
    student = model.backbone(images, hidden)[0].flatten(2)
    target = teacher(images)[0].flatten(2)
    core = -F.cosine_similarity(student, target, dim=1).mean()
    maps = torch.stack([sample.instance_map for sample in samples])
    same = maps[:, ::8, ::8].flatten(1)
    same = (same[:, :, None] == same[:, None]).float()  # Borders are between tokens.
    unit = F.normalize(student, dim=1)
    locality = (unit.mT @ unit - (20 * (same - 1)).exp()).square().mean()
    torch.testing.assert_close(losses['loss_core'], core)
    torch.testing.assert_close(losses['loss_locality'], locality)


def test_training__sixty_steps__both_losses_fall():
    model = build()
    images, samples = scenes()
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    first = step(model, images, samples)
    for _ in range(60):
        last = step(model, images, samples)
        optimizer.step()

    assert last['loss_core'] < first['loss_core'] - 0.3
    assert last['loss_locality'] < 0.8 * first['loss_locality']


def test_gradients__reach_every_parameter_of_the_student_and_no_teacher():
    model = build(backbone=encoder(STUDENT, with_mask_token=True, drop_path_rate=0.0))
    images, samples = scenes()

    step(model, images, samples)

    assert [n for n, p in model.named_parameters() if not p.grad.abs().sum() > 0] == []
    teacher = model.teachers['teacher']
    assert [p.grad for p in teacher.parameters()] == [None] * len(
        list(teacher.parameters())
    )
    trained = {id(p) for p in model.parameters()}
    assert trained.isdisjoint(id(p) for p in teacher.parameters())


def test_state_dict__has_the_student_alone():
    names = build().state_dict()

    assert all(name.startswith('backbone.') for name in names)
    assert len(names) == len(build().backbone.state_dict())


def test_move__dtype__moves_the_teachers_too():
    model = build().double()

    assert next(model.teachers['teacher'].parameters()).dtype == torch.float64
    assert not model.train().teachers['teacher'].encoder.training


class LateTeacher(nn.Module):
    """Has its weights after ``init_weights`` only, as SAM."""

    def init_weights(self):
        self.scale = nn.Parameter(torch.ones(1), requires_grad=False)

    def forward(self, image, data_samples, grid):
        tokens = torch.ones(len(image), grid[0] * grid[1], 3, device=image.device)
        assert self.scale.device == image.device
        return tokens * self.scale


class PlainLoss(nn.Module):
    same_width = False

    def forward(self, student, teacher):
        return student.mean() + teacher.mean()


def test_teacher__loaded_after_the_move__is_where_the_images_are():
    losses = {'loss_locality': {'type': PlainLoss, 'target': 'mask_teacher'}}
    # A device that every machine has.
    model = build(mask_teacher={'type': LateTeacher}, losses=losses).to('meta')
    model.teachers['mask_teacher'].init_weights()

    losses = model(torch.zeros(2, 3, 32, 32, device='meta'), mode='loss')

    assert losses['loss_locality'].device.type == 'meta'
    assert model.teachers['mask_teacher'].scale.device.type == 'meta'


def test_switched_off_loss__needs_no_teacher_and_builds_none():
    model = build(losses={**config()['losses'], 'loss_locality': None})

    assert set(model.teachers) == {'teacher'}
    assert set(model(scenes()[0], mode='loss')) == {'loss_core'}


def test_projector__other_width__compares_projected_tokens():
    wide = {**TEACHER, 'width': 48}
    losses = {
        'loss_feature': {'type': 'pe_mm.TokenCosineLoss', 'target': 'teacher'},
        'loss_pairwise': {
            'type': 'pe_mm.PairwiseSimilarityLoss',
            'target': 'teacher',
            'temperature': None,
        },
    }
    model = build(
        backbone=encoder(STUDENT),
        teacher=encoder(wide),
        masking=None,
        projector=True,
        losses=losses,
    )
    images = scenes()[0]

    values = step(model, images, None)

    tokens = model.backbone(images)[0].flatten(2).mT
    target = model.teachers['teacher'].encoder(images)[0].flatten(2).mT
    cosine = F.cosine_similarity(model.projector(tokens), target, dim=-1)
    torch.testing.assert_close(values['loss_feature'], -cosine.mean())
    assert [n for n, p in model.named_parameters() if not p.grad.abs().sum() > 0] == []


def test_predict__maps_of_whole_images__with_their_meta_information():
    model = build().eval()
    images, samples = scenes(2)

    feature_map = model(images)
    predictions = model(images, samples, 'predict')

    torch.testing.assert_close(feature_map, model.backbone(images)[0])
    torch.testing.assert_close(predictions[1].feature_map, feature_map[1])
    assert predictions[1].sample_id == '1.png'
    with pytest.raises(ValueError, match="mode must be 'loss'.*got 'train'"):
        model(images, samples, 'train')


def test_trained_student__loads_as_a_plain_encoder_and_converts():
    model = build().eval()
    checkpoint = {'state_dict': model.state_dict()}
    plain = PerceptionEncoder(STUDENT).eval()

    report = load_encoder_weights(plain, checkpoint, prefix='backbone.')
    converted = convert_state_dict(checkpoint, 'meta')

    image = scenes()[0]
    assert torch.equal(plain(image)[0], model(image))
    assert 'mask token' in report.skipped['backbone.mask_token']
    assert list(converted.skipped) == ['backbone.mask_token']
    again = PerceptionEncoder(STUDENT).eval()
    load_encoder_weights(again, converted.tensors)
    assert torch.equal(again(image)[0], model(image))


def test_teacher_and_student__from_one_file__start_from_it(tmp_path):
    core = PerceptionEncoder(TEACHER)
    torch.save(core.state_dict(), tmp_path / 'core.pth')
    weights = {'type': 'Pretrained', 'checkpoint': str(tmp_path / 'core.pth')}
    student = encoder(
        STUDENT, with_mask_token=True, init_cfg={**weights, 'new_layer_scale': True}
    )
    model = build(backbone=student, teacher=encoder(TEACHER, init_cfg=weights))
    images, samples = scenes()

    with pytest.raises(RuntimeError, match='not loaded: call init_weights'):
        model(images, samples, 'loss')
    model.init_weights()

    ours = model.teachers['teacher'].encoder.state_dict()
    for name, tensor in core.state_dict().items():
        assert torch.equal(ours[name], tensor)
        assert torch.equal(model.backbone.state_dict()[name], tensor)
    assert (model.backbone.blocks[0].gamma_1 == 0.1).all()


def test_random_teacher__is_warned_of(capsys):
    MMLogger.get_instance('aligner')
    build().init_weights()

    assert 'the teacher has random weights' in capsys.readouterr().out


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        ({'losses': {'loss_core': None}}, 'all are switched off'),
        ({'losses': {'core': CORE['loss_core']}}, "'core' must have 'loss' in its"),
        ({'losses': {'loss_core': {'type': 'x'}}}, 'target one of .*got target=None'),
        ({'teacher': None}, "'loss_core' needs teacher, which is None"),
        ({'masking': None}, 'with_mask_token=False'),
        ({'masking': {'ratio': 0.0}}, 'set masking=None'),
        ({'masking': {'unit': 2}}, r'dict\(ratio=..., unit=...\), got'),
        ({'masking': {'ratio': 0.5, 'size': 2}}, "got {'ratio': 0.5, 'size': 2}"),
        (
            {'backbone': encoder(STUDENT, with_mask_token=True, freeze=True)},
            'the whole backbone is frozen',
        ),
        (
            {'backbone': {'type': 'pe_mm.SceneMaskTeacher'}},
            'pe_mm.PerceptionEncoder, got SceneMaskTeacher',
        ),
        ({'masking': {'ratio': 1.5}}, r'in \[0, 1\], got 1.5'),
        (
            {'backbone': encoder(STUDENT)},
            'build the backbone with with_mask_token=True',
        ),
        (
            {'teacher': encoder({**TEACHER, 'width': 48})},
            'the student has 32 channels, the teacher 48; set projector=True',
        ),
        (
            {'losses': {'loss_locality': config()['losses']['loss_locality']}}
            | {'projector': True},
            'projector=True, but no loss compares channels',
        ),
        (
            {'losses': {'loss': {**CORE['loss_core'], 'target': 'mask_teacher'}}},
            'are no features',
        ),
        (
            {'backbone': encoder(STUDENT, out_indices='all', with_mask_token=True)},
            r'the backbone must return one map.*out_indices=\(0, 1\)',
        ),
    ],
)
def test_config__impossible__says_what_is_wrong_and_what_to_do(changes, message):
    with pytest.raises(ValueError, match=message):
        build(**changes)


def test_image__no_whole_patches__says_so():
    with pytest.raises(ValueError, match=r"\(30, 32\).*student's patch of 8 px"):
        build()(torch.zeros(1, 3, 30, 32), mode='loss')


def test_ddp__both_halves_of_a_batch__give_the_gradients_of_the_whole():
    board = torch.arange(16).view(1, 4, 4) % 3 > 0
    images, samples = scenes()
    model, alone = build(), build()
    mask = patch.object(
        spatial_aligner,
        'random_block_mask',
        lambda batch, *_, **__: board.repeat(batch, 1, 1),
    )
    dist.init_process_group('gloo', store=dist.HashStore(), rank=0, world_size=1)
    try:
        ddp = MMDistributedDataParallel(model)
        with mask:
            # The second pass is an error where a parameter has no part in the first.
            for half in (slice(2), slice(2, 4)):
                sum(ddp(images[half], samples[half], mode='loss').values()).backward()
        # It must not outlive its group, whose end it may wait for for ever.
        del ddp
    finally:
        dist.destroy_process_group()
    with mask:
        step(alone, images, samples)

    assert all(not name.startswith('_teachers') for name, _ in model.named_parameters())
    for (name, parameter), wanted in zip(
        model.named_parameters(), alone.parameters(), strict=True
    ):
        torch.testing.assert_close(
            parameter.grad / 2, wanted.grad, rtol=1e-4, atol=1e-6, msg=name
        )
