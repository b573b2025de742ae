"""The scripts of tools/, imported as they import each other: from their folder."""

import importlib
from pathlib import Path

import pytest

TOOLS = Path(__file__).resolve().parents[2] / 'tools'


def load(name, monkeypatch):
    monkeypatch.syspath_prepend(str(TOOLS))
    return importlib.import_module(name)


@pytest.fixture
def env(monkeypatch):
    """tools/setup_env.py."""
    return load('setup_env', monkeypatch)


@pytest.fixture
def mmcv(monkeypatch):
    """tools/setup_mmcv.py."""
    return load('setup_mmcv', monkeypatch)


@pytest.fixture
def process(monkeypatch):
    """tools/setup_process.py."""
    return load('setup_process', monkeypatch)


@pytest.fixture
def benchmark(monkeypatch):
    """tools/benchmark_backbone.py."""
    return load('benchmark_backbone', monkeypatch)


@pytest.fixture
def contestants(monkeypatch):
    """tools/benchmark_contestants.py."""
    return load('benchmark_contestants', monkeypatch)


@pytest.fixture
def measure(monkeypatch):
    """tools/benchmark_measure.py."""
    return load('benchmark_measure', monkeypatch)


@pytest.fixture
def sweep_benchmark(monkeypatch):
    """tools/benchmark_sweep.py."""
    return load('benchmark_sweep', monkeypatch)
