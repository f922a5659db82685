.PHONY: fuzz check test slow lint bench

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
