# Every target works from a fresh clone; .venv and what it holds are made when they are missing or out of date.
PYTHON ?= python3
export PYTHON

.PHONY: install demo
install: .venv/.run

.venv/.run: requirements/run.txt requirements/build.txt pyproject.toml
	deploy/install.sh run
	rm -f .venv/.dev && touch $@

.venv/.dev: requirements/dev.txt requirements/build.txt pyproject.toml
	deploy/install.sh dev
	touch .venv/.run $@

demo: install
	.venv/bin/huiying demo $(ARGS)
