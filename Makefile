# `make demo` and `make test` do all set-up by themselves; see `make help`.
.DEFAULT_GOAL := help
.PHONY: help setup demo test lint format benchmark
BIN := .venv/bin

help:  ## list these commands
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup:  ## make .venv with torch, mmcv (with operators), mmdet, mmseg and pe_mm; resumes
	@python3 tools/setup_env.py

demo: setup  ## train and test models on rendered scenes: boxes, masks, semantics, depth (DEMO_ARGS=...)
	@$(BIN)/pe-mm demo $(DEMO_ARGS)

# A process per core, each of one thread: most tests are too small for two.
test: setup  ## run the tests, one process per core (PYTEST_ARGS='-m "not slow"')
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --dist loadfile $(PYTEST_ARGS)

lint: setup  ## check style, types and spelling
	@$(BIN)/python -m ruff check .
	@$(BIN)/python -m ruff format --check .
	@$(BIN)/python -m mypy pe_mm
	@$(BIN)/python -m codespell_lib

format: setup  ## rewrite the files in the project's style
	@$(BIN)/python -m ruff check --fix .
	@$(BIN)/python -m ruff format .

benchmark: setup  ## time the encoder against timm and the floor (BENCHMARK_ARGS=...)
	@$(BIN)/python tools/benchmark_backbone.py $(BENCHMARK_ARGS)
