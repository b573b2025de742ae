"""Set up what every test needs."""

import pytest
import torch

import pe_mm  # noqa: F401  (first: it makes timm importable on CPU-only installs)


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)
