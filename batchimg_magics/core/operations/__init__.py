"""The operations that the verbs start, one module each.

May import: all of ``core``.
"""
