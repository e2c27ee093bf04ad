"""Hostile input through the real program: ``python -m tests.hostile`` prints its counts."""
