"""Power cuts: every state of a disk that may be left of a repair, made, mounted and looked at."""
