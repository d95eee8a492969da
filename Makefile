# Two entry points for people: `make demo` and `make test`. See README.md.
PYTHON ?= python3.11
SHARED ?= ../shared
RUN ?= runs/shipped

.PHONY: demo test coverage lint docs docs-serve openapi teacher model model-smoke evaluate dist check-install sbom licences clean

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

# The documentation as a site, in site/ (tests/test_site.py builds it too), or at http://127.0.0.1:8001/ while it is written.
docs: .venv-test/installed
	NO_MKDOCS_2_WARNING=1 .venv-test/bin/mkdocs build

docs-serve: .venv-test/installed
	NO_MKDOCS_2_WARNING=1 .venv-test/bin/mkdocs serve --dev-addr 127.0.0.1:8001

# What tests/test_serve.py holds the service's description against.
openapi: .venv-test/installed
	.venv-test/bin/python -m boilerplate_clf.serve.openapi > docs/openapi.json

# The shipped model, from raw text to models/: hours on a CPU; finished stages are skipped.
model: teacher
	.venv-test/bin/boilerplate-clf pipeline all --config configs/shipped.yaml --run $(RUN) --install models
	.venv-test/bin/boilerplate-clf doctor --freeze --fp32 $(RUN)/export/model.fp32.onnx
	.venv-test/bin/boilerplate-clf doctor --model accurate --freeze --fp32 $(RUN)/export/model.fp32.onnx

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
	.venv-test/bin/boilerplate-clf evaluate $(SHARED)/gold/dev.jsonl --model accurate --gate training/gate-accurate.json

.venv-release/installed: requirements-release.txt
	$(PYTHON) -m venv .venv-release
	.venv-release/bin/python -m pip install --quiet --disable-pip-version-check -r requirements-release.txt
	touch $@

# Wheel and sdist of the last commit; with TAG=v1.2.3 also the notes of that release. docs/release.md
dist: .venv-release/installed
	.venv-release/bin/python tools/dist.py $(if $(TAG),--tag "$(TAG)")

# They install and work on every Python, with the newest and with the oldest dependencies.
check-install: .venv-release/installed
	.venv-release/bin/python tools/check_install.py dist
	.venv-release/bin/python tools/check_install.py dist --versions lowest

# What comes with the package, for each extra: CycloneDX, into dist/.
sbom: .venv-release/installed
	.venv-release/bin/python tools/sbom.py dist

# docs/licences.md, from these.
licences:
	.venv-release/bin/python tools/licences.py dist

clean:
	rm -rf .venv .venv-test .venv-release dist site
