"""Skipped samples are reported when an epoch ends."""

from mmengine.logging import MessageHub


def test_skipped_samples__corrupt_image__is_counted_in_the_log(train, tmp_path, capsys):
    (tmp_path / 'images' / '3.png').write_bytes(b'no image')

    train('run', 'train_cfg.max_epochs=1')

    printed = capsys.readouterr()
    assert '3.png is no intact image' in printed.out + printed.err
    report = 'ImageFolder: samples that could not be read were skipped 1 times so far'
    assert report in printed.out + printed.err
    assert MessageHub.get_current_instance().get_info('skipped_samples') == 1


def test_skipped_samples__intact_images__say_nothing(train, capsys):
    train('run', 'train_cfg.max_epochs=1')

    printed = capsys.readouterr()
    assert 'were skipped' not in printed.out + printed.err
