"""Measurements against the best peers, in the same run: ``python -m tests.bench``."""
