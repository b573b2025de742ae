"""What a finished chain leaves."""

import json
from dataclasses import replace

import pytest
from mmengine.config import Config
from nano_chains import TINY, save_checkpoint, train_and_sweep

from pe_mm import PerceptionEncoder
from pe_mm.checkpoints import load_encoder_weights
from pe_mm.nano.results import WEIGHTS, training_facts, write_results, zero_shot_metrics
from pe_mm.nano.steps import CONFIGS, ENCODERS, IMAGE, STUDENT
from pe_mm.probing.results import append_rows, read_rows


def test_write_results__finished_chain__tables_curves_and_weights(
    finished,
):
    text = write_results(finished)

    assert (finished.results / 'claims.md').read_text() == text
    assert '| aligned, both losses | tracking, J&F |' in text
    # Seeds 0 and 2: the titles' numbers plus 0 and plus 2.
    assert '| images | 1.0 ± 1.4 | 11.0 ± 1.4 | 21.0 ± 1.4 |' in text
    assert (finished.results / 'layer_sweep.png').stat().st_size > 10_000
    for name, _ in WEIGHTS.values():
        load_encoder_weights(
            PerceptionEncoder(TINY), finished.work_dir / 'weights' / name
        )
    card = json.loads((finished.work_dir / 'weights' / 'weights.json').read_text())
    assert {entry['seed'] for entry in card.values()} == {0}
    assert {entry['device'] for entry in card.values()} == {'a GPU'}


def test_write_results__chain_that_told_no_device__has_a_card_without_it(finished):
    for stage in WEIGHTS:
        (finished.folder(0, stage) / 'done.json').write_text('{"seconds": 1}')

    write_results(finished)

    card = json.loads((finished.work_dir / 'weights' / 'weights.json').read_text())
    assert all(entry['sha256'] and 'device' not in entry for entry in card.values())


def test_write_results__seeds_of_another_chain__are_in_the_tables_too(finished):
    only_last = write_results(replace(finished, seeds=(2,)))

    both = write_results(replace(finished, seeds=(0,)))

    assert only_last.startswith('Seeds 2; mean')
    assert both.startswith('Seeds 0, 2; mean')
    assert both == write_results(finished)


def test_write_results__rows_in_another_folder__says_which_are_missing(
    finished, tmp_path
):
    elsewhere = replace(finished, results=tmp_path / 'other')

    with pytest.raises(
        ValueError, match=r'measured before: PE-Core, seed 0; .*, seed 2; give the'
    ):
        write_results(elsewhere)
    assert not elsewhere.results.exists()


def test_write_results__seed_trained_again__its_newest_weights_count(finished):
    write_results(finished)
    old = json.loads((finished.results / 'stages.json').read_text())
    count = len(read_rows(finished.rows))

    train_and_sweep(finished, 2)
    text = write_results(finished)

    new = json.loads((finished.results / 'stages.json').read_text())
    assert text.startswith('Seeds 0, 2; mean')
    assert len(read_rows(finished.rows)) > count
    assert new['0'] == old['0']
    assert new['2']['weights'].keys() == ENCODERS.keys()
    assert not set(new['2']['weights'].values()) & set(old['2']['weights'].values())


def test_write_results__rows_of_an_older_training__are_not_taken_for_it(finished):
    write_results(finished)
    before = {path: path.read_bytes() for path in finished.results.iterdir()}
    save_checkpoint(finished.folder(2, STUDENT), 'backbone.')

    with pytest.raises(ValueError, match='before: student of both, seed 2; give the'):
        write_results(finished)
    assert before == {path: path.read_bytes() for path in finished.results.iterdir()}


def test_write_results__rows_of_two_protocols__are_refused_before_writing(finished):
    write_results(replace(finished, seeds=(0,)))
    rows = [
        replace(row, protocol={'iterations': 7}) if row.seed == 2 else row
        for row in read_rows(finished.rows)
    ]
    finished.rows.unlink()
    append_rows(finished.rows, rows)
    before = {path: path.read_bytes() for path in finished.results.iterdir()}

    with pytest.raises(ValueError, match='iterations'):
        write_results(finished)
    assert before == {path: path.read_bytes() for path in finished.results.iterdir()}


def test_zero_shot_metrics__several_runs_of_a_test__the_last_counts(finished):
    folder = finished.folder(0, IMAGE) / 'zero_shot_classes' / '20260102_000000'
    folder.mkdir()
    (folder / '20260102_000000.json').write_text('{"zero_shot/top1": 77.0}')

    metrics = zero_shot_metrics(finished, 0, IMAGE)

    assert metrics['top-1 of 12 shapes'] == 77.0
    assert metrics['text to clip R@1'] == 40.0


@pytest.mark.parametrize('stage', list(WEIGHTS))
def test_training_facts__encoder__is_the_configs(stage, finished, monkeypatch):
    monkeypatch.chdir(CONFIGS.resolve().parents[1])
    facts = training_facts(finished, stage, 2)

    assert facts['config'] == f'configs/nano/{stage}.py'
    model = Config.fromfile(facts['config']).model
    encoder = model.get('backbone') or model.image_encoder
    assert facts['encoder'] == encoder.variant
    assert facts['seed'] == 2
    # Of the training, whatever writes the results.
    assert (facts['versions'], facts['device']) == ({'torch': '2'}, 'a GPU')
    assert PerceptionEncoder(facts['encoder']).embed_dims == (
        96 if stage == STUDENT else 160
    )
