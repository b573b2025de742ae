import json
from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F
from image_text_models import tiny_model
from mmengine.registry import METRICS
from open_clip.zero_shot_classifier import build_zero_shot_classifier_legacy

from pe_mm.contrastive import ZeroShotHook, ZeroShotMetric

CLASSES = ['cat', 'dog', 'ship', 'tree', 'red circle', 'blue star', 'ring']
TEMPLATES = ['a photo of a {}.', 'a sketch of a {}.']


@pytest.fixture(scope='module')
def model():
    return tiny_model().eval()


def predicted(features, **fields):
    return [
        dict({key: values[i] for key, values in fields.items()}, visual_feature=feature)
        for i, feature in enumerate(features)
    ]


def test_evaluate__seeded_model__is_open_clips_accuracy(model):
    metric = METRICS.build(
        dict(type='pe_mm.ZeroShotMetric', class_names=CLASSES, templates=TEMPLATES)
    )
    metric.embed_classes(model)
    torch.manual_seed(0)
    # Images of an untrained model are all alike.
    features = F.normalize(torch.randn(40, 8), dim=-1)
    labels = torch.arange(40) % 7
    metric.process(None, predicted(features[:25], label=labels[:25].tolist()))
    metric.process(None, predicted(features[25:], label=labels[25:].tolist()))
    scores = metric.evaluate(40)

    classifier = build_zero_shot_classifier_legacy(
        model, model.tokenizer, CLASSES, TEMPLATES
    )
    logits = features @ classifier
    rank = (logits > logits.gather(1, labels[:, None])).sum(1)
    assert scores == {
        f'zero_shot/top{k}': pytest.approx(100 * (rank < k).double().mean().item())
        for k in (1, 5)
    }
    assert 0 < scores['zero_shot/top1'] < scores['zero_shot/top5'] < 100


@pytest.mark.parametrize('in_file', [False, True])
def test_process__images_in_folders__have_their_folders_class(model, in_file, tmp_path):
    names = {'n01': 'cat', 'n02': 'dog'}
    if in_file:
        (tmp_path / 'names.json').write_text(json.dumps(names))
        names = str(tmp_path / 'names.json')
    metric = ZeroShotMetric(names, templates=['{}'], topk=[1])
    metric.embed_classes(model)
    features = model.encode_text(['dog', 'cat', 'cat']).detach()
    metric.process(
        None, predicted(features, sample_id=['n02/0.jpg', 'n01/1.jpg', 'n02/2.jpg'])
    )
    assert metric.evaluate(3) == {'zero_shot/top1': pytest.approx(200 / 3)}


def test_process__two_classes_of_one_name__both_have_labels(model):
    metric = ZeroShotMetric(['crane', 'cat', 'crane'], templates=['{}'], topk=[3])
    metric.embed_classes(model)
    metric.process(None, predicted(torch.ones(1, 8), label=[2]))
    assert metric.results == [[True]]


@pytest.mark.parametrize('split', ['val', 'test'])
def test_hook__before_a_loop__embeds_with_the_present_weights(model, split):
    metric = ZeroShotMetric(CLASSES, ['{}'])
    loop = SimpleNamespace(evaluator=SimpleNamespace(metrics=[object(), metric]))
    runner = SimpleNamespace(model=model, **{f'{split}_loop': loop})
    getattr(ZeroShotHook(), f'before_{split}_epoch')(runner)
    metric.process(None, predicted(model.encode_text(['ship']).detach(), label=[2]))
    assert metric.results == [[True, True]]


def test_embed_classes__openais_templates__are_eighty(model, monkeypatch):
    texts = []
    encode = model.encode_text
    monkeypatch.setattr(
        model, 'encode_text', lambda ids, **k: texts.append(ids) or encode(ids, **k)
    )
    metric = ZeroShotMetric(['cat'], 'openai_imagenet', topk=[1])
    metric.embed_classes(model)
    assert texts[0].shape == (80, 16)


def test_process__impossible__says_why(model):
    metric = ZeroShotMetric(CLASSES)
    feature = torch.ones(1, 8)
    with pytest.raises(ValueError, match=r"dict\(type='pe_mm.ZeroShotHook'\)"):
        metric.process(None, predicted(feature, label=[0]))
    metric.embed_classes(model)
    with pytest.raises(ValueError, match='has label 7; there are 7 class_names'):
        metric.process(None, predicted(feature, label=[7]))
    with pytest.raises(ValueError, match="its folder 'lion' is none of"):
        metric.process(None, predicted(feature, sample_id=['lion/0.jpg']))


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (dict(topk=[1, 8]), 'topk must be from 1 to the number of classes, 7'),
        (dict(templates='a {}'), "templates must be a list of texts with '{}'"),
        (dict(templates=['a photo']), "templates must be a list of texts with '{}'"),
    ],
)
def test_build__bad_options__says_what_is_allowed(options, message):
    with pytest.raises(ValueError, match=message):
        ZeroShotMetric(CLASSES, **options)
