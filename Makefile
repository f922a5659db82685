.PHONY: check test lint bench

check: lint test

lint:
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy

test:
	.venv/bin/pytest -n auto

bench:
	.venv/bin/python benchmarks/run.py
