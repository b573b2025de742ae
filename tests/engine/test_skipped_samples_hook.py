"""Skipped samples are reported while a training goes on."""

import logging
from types import SimpleNamespace

from mmengine.logging import MessageHub

from pe_mm.engine import SkippedSamplesHook


def test_skipped_samples__corrupt_image__is_counted_in_the_log(train, tmp_path, capsys):
    (tmp_path / 'images' / '3.png').write_bytes(b'no image')

    train('run', 'train_cfg.max_epochs=1')

    printed = capsys.readouterr()
    assert '3.png is no intact image' in printed.out + printed.err
    report = 'ImageFolder: samples that could not be read were skipped 1 times so far'
    assert report in printed.out + printed.err
    assert MessageHub.get_current_instance().get_info('skipped_samples') == 1


def test_skipped_samples__training_by_iterations__are_counted_on_the_way(caplog):
    dataset = SimpleNamespace(skipped=0)
    runner = SimpleNamespace(
        train_loop=SimpleNamespace(dataloader=SimpleNamespace(dataset=dataset)),
        message_hub=MessageHub('skipped'),
        logger=logging.getLogger('skipped'),
    )
    hook, said = SkippedSamplesHook(interval=2), []
    for runner.iter, dataset.skipped in enumerate((1, 1, 2, 2, 2, 2, 5)):
        caplog.clear()
        hook.after_train_iter(runner, runner.iter)
        said.append([record.message[-22:] for record in caplog.records])
    assert said == [[], ['skipped 1 times so far'], [], ['skipped 2 times so far']] + (
        [[]] * 3
    )
    caplog.clear()
    hook.after_train_epoch(runner)
    assert 'skipped 5 times so far' in caplog.text


def test_skipped_samples__intact_images__say_nothing(train, capsys):
    train('run', 'train_cfg.max_epochs=1')

    printed = capsys.readouterr()
    assert 'were skipped' not in printed.out + printed.err
