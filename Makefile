# Two entry points for people: `make demo` and `make test`. See README.md.
PYTHON ?= python3.11
SHARED ?= ../shared
RUN ?= runs/shipped

.PHONY: demo test coverage lint openapi teacher model model-smoke evaluate wheel clean

.venv/installed: pyproject.toml
	$(PYTHON) -m venv .venv
	.venv/bin/python -m pip install --quiet --disable-pip-version-check --editable .
	touch $@

.venv-test/installed: pyproject.toml requirements-test.txt
	$(PYTHON) -m venv .venv-test
	.venv-test/bin/python -m pip install --quiet --disable-pip-version-check -r requirements-test.txt --editable ".[train,html,annotate,ray,scrapy,datatrove,serve]"
	touch $@

demo: .venv/installed
	.venv/bin/boilerplate-clf predict examples/artikel.txt --format text

test: lint
	.venv-test/bin/python -m pytest

# Branches of src/ that the tests run, in their processes too: some minutes more than `make test`.
coverage: .venv-test/installed
	.venv-test/bin/coverage erase
	.venv-test/bin/coverage run -m pytest
	.venv-test/bin/coverage combine --quiet
	.venv-test/bin/coverage report

lint: .venv-test/installed
	.venv-test/bin/ruff check .
	.venv-test/bin/ruff format --check .
	.venv-test/bin/mypy

# What tests/test_serve.py holds the service's description against.
openapi: .venv-test/installed
	.venv-test/bin/python -m boilerplate_clf.serve.openapi > docs/openapi.json

# The shipped model, from raw text to models/: hours on a CPU; finished stages are skipped.
model: teacher
	.venv-test/bin/boilerplate-clf pipeline all --config configs/shipped.yaml --run $(RUN) --install models
	.venv-test/bin/boilerplate-clf doctor --freeze --fp32 $(RUN)/export/model.fp32.onnx

# What the shipped model learns from.
teacher: .venv-test/installed
	.venv-test/bin/boilerplate-clf pipeline all --config configs/teacher.yaml --run runs/teacher

# The same code on tiny data, in under two minutes.
model-smoke: .venv-test/installed
	.venv-test/bin/python -m pytest tests/test_pipeline.py

evaluate: .venv-test/installed
	.venv-test/bin/boilerplate-clf evaluate $(SHARED)/gold/dev.jsonl --gate training/gate.json --train $(SHARED)/gold/train.jsonl \
		--train $(SHARED)/gold/wikimedia_banners.jsonl --train training/data/blocks.jsonl \
		--train training/data/pages.jsonl --train training/data/pages-rehearsal.jsonl \
		--output runs/evaluation

wheel: .venv-test/installed
	.venv-test/bin/python -m build --no-isolation

clean:
	rm -rf .venv .venv-test dist
