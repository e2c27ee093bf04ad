"""Crashes and errors at every point of every repair (``python -m tests.crash``)."""
