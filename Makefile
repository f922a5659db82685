.PHONY: fuzz check test slow torture lint bench

check: lint test

lint:
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy

test:
	.venv/bin/pytest -n auto

slow:
	.venv/bin/pytest -m slow

fuzz:  # each parser for ten minutes, guided by coverage; needs atheris (pip install atheris)
	for parser in $$(.venv/bin/python tests/fuzz/parsers.py); do \
		.venv/bin/python tests/fuzz/fuzz.py $$parser -max_total_time=600 || exit 1; done

bench:
	.venv/bin/python benchmarks/run.py

torture:  # kill -9 at thousands of moments of every command; ENVFREEZE_KILLS for each command and way
	ENVFREEZE_KILLS=$${ENVFREEZE_KILLS:-200} .venv/bin/pytest -m slow tests/loop/test_killed.py
