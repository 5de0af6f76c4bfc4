# Every target works from a fresh clone. Make builds .venv if it is missing or out of date.
PYTHON ?= python3
export PYTHON
RUN := .venv/.run
DEV := .venv/.dev
# On containers: the image, the compose file, and one pass through delivery. `make test` tries delivery natively.
ON_CONTAINERS := tests/containers tests/kernel/test_log.py \
  $(patsubst %,tests/delivery/test_%.py,crash_points interleavings kills)

.PHONY: install demo up test stack test-containers test-go chaos fuzz mutate bench lint requirements generate site release audit

install: $(RUN) ## .venv with `huiying` in it

demo: $(RUN) ## some days of four offices, in a few minutes; ARGS=--once ends by itself
	.venv/bin/huiying demo $(ARGS)

up: $(RUN) ## everything in one process
	.venv/bin/huiying up $(ARGS)

stack: $(RUN) ## the five services as processes over a native Kafka and PostgreSQL, until Ctrl-C
	.venv/bin/python deploy/native.py stack $(ARGS)

test: $(DEV) ## all tests except the three below, with three workers; ARGS="tests/triage -k merge" runs some, with one
	.venv/bin/python deploy/native.py tools
	.venv/bin/pytest --durations 15 $(if $(ARGS),,-n 3 --dist loadfile --no-loadscope-reorder) $(ARGS)

test-containers: $(DEV) ## delivery, image and compose file, on a Docker engine
	HUIYING_TEST_SUBSTRATE=containers .venv/bin/pytest $(ON_CONTAINERS) \
	  -m "(containers or kafka or postgres) and not chaos" $(ARGS)

test-go: $(DEV) ## the log, checked with Go's library; needs a Go tool chain and its module proxy
	.venv/bin/pytest -m go tests/audit/log $(ARGS)

chaos: $(DEV) ## a thousand kills, frozen and lost servers, spoiled networks and wrong clocks; over an hour
	.venv/bin/python deploy/native.py tools
	.venv/bin/pytest -m chaos --timeout 3600 -rP $(ARGS)

fuzz: $(DEV) ## parsers under damaged input; INPUTS for each property
	HUIYING_FUZZ=$(or $(INPUTS),200000) .venv/bin/pytest tests/fuzz --timeout 0 --durations 0 $(ARGS)

mutate: $(DEV) ## whether a test fails for each small change of what decides; ARGS names some changes
	.venv/bin/uv run --quiet --no-project --isolated --with-requirements requirements/mutate.txt mutmut run $(ARGS)

bench: $(DEV) ## the performance figures, each beside its floor
	.venv/bin/python deploy/native.py tools
	.venv/bin/python -m benchmarks $(ARGS)

lint: $(DEV)
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/lint-imports

requirements: $(DEV) ## each requirement with its tests
	.venv/bin/python -m tests.kit.requirements_report $(ARGS)

generate: $(DEV) ## generated files: JSON Schemas, examples, AsyncAPI, OpenAPI
	.venv/bin/python -m schemas.generate

audit: $(DEV) ## the pinned packages against known weaknesses; needs a network
	.venv/bin/uv run --quiet --no-project --isolated --with-requirements requirements/audit.txt pip-audit \
	  --strict --disable-pip --require-hashes --requirement requirements/run.txt \
	  $(shell sed -n 's/^\([A-Z]\S*\) .*/--ignore-vuln \1/p' requirements/accepted.txt)

site: $(DEV) ## docs/ as pages in dist/site
	.venv/bin/uv run --quiet --no-project --isolated --with-requirements requirements/site.txt \
	  sphinx-build --quiet --fail-on-warning docs dist/site

release: $(DEV) ## wheel, source, materials, provenance and sums in dist/release; ARGS="--key FILE --image"
	rm -rf dist/release
	.venv/bin/python deploy/release.py --to dist/release $(ARGS)

# If .venv has the packages for tests, they stay. A fresh .venv gets only run.txt.
$(RUN): requirements/run.txt requirements/build.txt pyproject.toml
	deploy/install.sh $(if $(wildcard $(DEV)),dev,run)
	touch $@ $(wildcard $(DEV))

$(DEV): requirements/dev.txt requirements/build.txt pyproject.toml
	deploy/install.sh dev
	touch $(RUN) $@
