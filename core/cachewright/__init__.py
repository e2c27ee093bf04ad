"""Part of Cachewright."""
