import math

import pytest
import torch
from mmengine.registry import METRICS

from pe_mm.contrastive import RetrievalMetric


def direction(degrees):
    angle = math.radians(degrees)
    return torch.tensor([math.cos(angle), math.sin(angle)])


def sample(sample_id, visual, *texts):
    return dict(
        sample_id=sample_id,
        visual_feature=direction(visual),
        text_features=torch.stack([direction(text) for text in texts]),
    )


# By nearness, texts of a: own 10, then b's 20, own 80. Of b (30): own 20, a's 10, ...
# Of c (90): a's 80 first, own 50 second (the others lie at 10 and 20).
# Text 10 is a's (0) first; 80 is nearest to c (90), then b (30 is 50 off), then a;
# 20 is b's first; 50 is nearest to b (20 off), then c (40 off).
SAMPLES = [sample('a', 0, 10, 80), sample('b', 30, 20), sample('c', 90, 50)]
EXPECTED = {
    'image_to_text_R@1': 200 / 3,
    'image_to_text_R@2': 100.0,
    'text_to_image_R@1': 50.0,
    'text_to_image_R@2': 75.0,
    'text_to_image_R@10': 100.0,
    'image_to_text_R@10': 100.0,
}


def test_evaluate__several_captions__is_the_hand_computed_recall():
    metric = METRICS.build(dict(type='pe_mm.RetrievalMetric', recalls=[1, 2, 10]))
    metric.process(None, SAMPLES[:2])
    metric.process(None, SAMPLES[2:])
    assert metric.evaluate(3) == {
        f'retrieval/{name}': pytest.approx(value) for name, value in EXPECTED.items()
    }


def test_evaluate__captions_one_by_one__are_those_of_one_image():
    metric = RetrievalMetric(recalls=[1, 2, 10])
    metric.process(None, [sample('a', 0, 10), sample('a', 0, 80), *SAMPLES[1:]])
    assert metric.evaluate(4) == {
        f'retrieval/{name}': pytest.approx(value) for name, value in EXPECTED.items()
    }


def test_evaluate__many_rows__are_those_of_the_whole_matrix(monkeypatch):
    torch.manual_seed(0)
    samples = [
        dict(
            sample_id=str(i),
            visual_feature=torch.randn(4),
            text_features=torch.randn(2, 4),
        )
        for i in range(30)
    ]
    scores = []
    for rows in (1000, 7):
        monkeypatch.setattr('pe_mm.contrastive.retrieval_metric._ROWS', rows)
        metric = RetrievalMetric()
        metric.process(None, samples)
        scores.append(metric.evaluate(30))
    assert scores[0] == scores[1]
    assert len(set(scores[0].values())) > 3


def test_evaluate__all_features_alike__finds_no_more_than_chance():
    samples = [
        dict(
            sample_id=str(i),
            visual_feature=torch.ones(4),
            text_features=torch.ones(1, 4),
        )
        for i in range(20)
    ]
    metric = RetrievalMetric(visual='video')
    metric.process(None, samples)
    scores = metric.evaluate(20)
    assert scores['retrieval/video_to_text_R@1'] == 5
    assert scores['retrieval/text_to_video_R@10'] == 50


def test_bad_use__says_what_is_wrong():
    with pytest.raises(ValueError, match='recalls must be positive'):
        RetrievalMetric(recalls=[0])
    with pytest.raises(ValueError, match="'image' or 'video', got 'clip'"):
        RetrievalMetric(visual='clip')
    with pytest.raises(ValueError, match="sample 'a' has no caption"):
        RetrievalMetric().process(
            None, [dict(sample_id='a', visual_feature=torch.ones(2))]
        )
