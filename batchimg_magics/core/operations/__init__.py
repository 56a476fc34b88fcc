"""One module per thing that a verb does.

May import: all of ``core``.
"""
