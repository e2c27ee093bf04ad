"""``python -m cachewright`` is the ``cachewright`` command.

Python puts the current directory in front of all others to import from, and that may be a cache;
it is taken out again before anything else is imported.
"""

import sys

if not sys.flags.safe_path and __name__ == "__main__":
    del sys.path[0]

from cachewright.cli.main import main

if __name__ == "__main__":
    main()
