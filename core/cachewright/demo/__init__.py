"""A made-up provider cache with every kind of trouble, and real processes that use it.

Nothing outside the scratch directory is read or written; the processes end with the demo.
"""
