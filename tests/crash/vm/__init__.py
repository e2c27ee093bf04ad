"""A small machine with a kernel of its own, for what this machine's kernel cannot do."""
