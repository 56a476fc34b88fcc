"""Locks: what a pool is made of, as a file that is read in a diff, and the comparison of such a file with Azure.

``fields`` is the one list of what a lock has.

May import: ``pool_spec`` and below, and the other wings of ``core`` but ``operations``.
"""
