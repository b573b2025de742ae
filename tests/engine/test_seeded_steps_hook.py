"""An interrupted training that was resumed equals one that was not."""

import pytest
import torch


def assert_same(weights, others):
    assert weights.keys() == others.keys()
    for name, value in weights.items():
        torch.testing.assert_close(value, others[name], rtol=0, atol=0)


def test_resumed_training__by_epoch__ends_with_the_same_weights(train):
    whole = train('whole')
    half = train('half', 'train_cfg.max_epochs=1')
    resumed = train('half', resume=['--resume'])

    assert_same(resumed, whole)
    with pytest.raises(AssertionError):
        assert_same(half, whole)


def test_resumed_training__by_iteration__ends_with_the_same_weights(
    train, tiny_config, monkeypatch
):
    # It waits two seconds whenever the data is used up.
    monkeypatch.setattr('mmengine.runner.loops.time.sleep', lambda seconds: None)
    text = tiny_config.read_text()
    text = text.replace('by_epoch=True, max_epochs=2', 'by_epoch=False, max_iters=6')
    text = text.replace('interval=1),\n)', 'by_epoch=False, interval=3),\n)')
    tiny_config.write_text(text + 'log_processor = dict(by_epoch=False)\n')

    whole = train('whole')
    train('half', 'train_cfg.max_iters=3')

    assert_same(train('half', resume=['--resume']), whole)
