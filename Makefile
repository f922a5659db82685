.PHONY: check test slow lint bench

check: lint test

lint:
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy

test:
	.venv/bin/pytest -n auto

slow:
	.venv/bin/pytest -m slow

bench:
	.venv/bin/python benchmarks/run.py
