"""``python -m cachewright`` is the ``cachewright`` command."""

from cachewright.cli.main import main

if __name__ == "__main__":
    main()
