"""The benchmark measures what it says: shapes, memory and rows, never a time."""

import importlib.util
import json
from pathlib import Path

import pytest
import torch

from pe_mm.variants import Variant

PATH = Path(__file__).parents[2] / 'tools' / 'benchmark_backbone.py'
SPEC = importlib.util.spec_from_file_location('benchmark_backbone', PATH)
benchmark = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(benchmark)


@pytest.mark.parametrize('class_token', [True, False])
def test_floor__image__runs_on_the_encoders_shapes(class_token) -> None:
    variant = Variant(depth=3, width=16, heads=2, patch_size=8, class_token=class_token)
    floor = benchmark.Floor(variant, 2)
    assert floor(torch.randn(2, 3, 32, 16)).shape == (2, 8 + class_token, 16)
    weights = sum(p.numel() for p in floor.blocks.parameters())
    assert weights == 2 * (12 * 16 * 16 + 9 * 16)


def test_peak_memory__forward__counts_weights_and_activations() -> None:
    class Layer(torch.nn.Linear):
        def __init__(self) -> None:
            super().__init__(1024, 1024, bias=False)

    peak = benchmark.peak_memory(Layer, torch.randn(512, 1024), 'forward')
    assert peak == pytest.approx(4 * (1024 * 1024 + 512 * 1024), rel=0.05)


def test_ratios__rounds__are_paired() -> None:
    assert benchmark.ratios([1.0, 6.0], [2.0, 3.0]) == [0.5, 2.0]
    assert benchmark.summarize([0.5, 2.0, 1.0]) == '1.000 [0.500, 2.000]'


def test_main__small_image__prints_ratios_and_writes_a_row(tmp_path, capsys) -> None:
    rows = tmp_path / 'rows.jsonl'
    benchmark.main(
        ['--variants', 'PE-Spatial-T16-512', '--size', '32', '--batch', '1']
        + ['--rounds', '2', '--min-run-time', '0.001', '--device', 'cpu']
        + ['--threads', str(torch.get_num_threads()), '--out', str(rows)]
    )
    text = capsys.readouterr().out
    assert text.count('ours / timm') == 4
    assert text.count('floor / ours') == 2
    forward, backward = (json.loads(line) for line in rows.read_text().splitlines())
    assert set(forward['seconds']) == {'ours', 'timm', 'floor', 'half'}
    assert all(len(times) == 2 for times in forward['seconds'].values())
    assert backward['peak_bytes']['half'] < 0.6 * backward['peak_bytes']['ours']
