"""Plain types that every other wing uses: node counts, steps, progress, tables and their schemas, the row filter.

May import: nothing of ``core``.
"""
