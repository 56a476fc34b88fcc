"""The REST formats of Batch: bodies, conditions, errors, paging, names on the two planes, api-versions.

May import: ``compute`` and below.
"""
