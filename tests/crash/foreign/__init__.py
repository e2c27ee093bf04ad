"""File systems that this machine's kernel lacks or that fail: in a machine with another kernel."""
