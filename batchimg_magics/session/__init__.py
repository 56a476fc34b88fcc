"""`Session`: one connection, its event loop's thread, running work, and the verbs as methods that return DataFrames.

May import: ``verbs`` and below.
"""
