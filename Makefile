# Two commands set up a fresh machine: `make demo` and `make test`.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin

.PHONY: demo test perf slow docs clean

demo: .venv/light
	$(BIN)/vismark demo --output demo

test: .venv/full
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -n 2 -m "not perf and not slow"
	$(BIN)/mkdocs build --strict --quiet --site-dir .venv/site

perf: .venv/full
	$(BIN)/python -m pytest -q -s -m perf tests/perf

slow: .venv/full
	$(BIN)/python -m pytest -m slow

docs: .venv/full
	$(BIN)/mkdocs serve

clean:
	rm -rf .venv demo

.venv/light: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable .
	touch $@

# panopticapi-lite pins numpy < 2 but runs with numpy 2: it is the official evaluator that tests compare with.
.venv/full: .venv/light
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps panopticapi-lite==0.2.0
	touch $@

.PHONY: schemas
schemas: .venv/full
	$(BIN)/python -c "from pathlib import Path; from vismark.jobs.schemas import schemas; schemas(Path('schemas'))"
