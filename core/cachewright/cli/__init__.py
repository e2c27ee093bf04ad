"""The command line: one file per verb (DESIGN 8)."""
