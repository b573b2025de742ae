"""Set up what every test needs."""

import gc
from collections.abc import Iterator

import pytest
import torch
from mmengine.logging import MMLogger
from mmengine.registry import DefaultScope

import pe_mm  # noqa: F401  (first: it makes timm importable on CPU-only installs)


def pytest_collection_finish() -> None:
    """Leave what imports have made out of garbage collections.

    mmengine asks for one with every data set, which else takes 0.3 s.
    """
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


@pytest.fixture(autouse=True)
def _no_loggers_of_other_tests() -> Iterator[None]:
    """Drop mmengine's loggers, which keep the captured streams of their test."""
    yield
    MMLogger._instance_dict.clear()


@pytest.fixture(autouse=True)
def _no_scope_of_other_tests() -> Iterator[None]:
    """Drop mmengine's scope, or types without a prefix would be the last model's."""
    yield
    DefaultScope._instance_dict.clear()
