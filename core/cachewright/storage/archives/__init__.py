"""Read archives as good copies, without ever letting their names decide where bytes go.

Python's own extraction has let archives write elsewhere (reliability.md T5).  Here every member is
judged before the first byte is unpacked: regular files and directories only; links, devices, odd
names, duplicates and bombs make the archive unusable as a whole.  Every file is then created by
descriptor, exclusively, below the given directory.  Nothing here trusts a parser of another
library with a name or a length: only the unpacking of bytes is the standard library's.
"""
