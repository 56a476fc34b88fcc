"""The words of Batch on the wire: bodies, conditions, errors, paging, dialects of the two planes, api-versions.

May import: ``arm`` and below.
"""
