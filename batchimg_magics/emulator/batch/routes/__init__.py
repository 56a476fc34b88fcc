"""The operations of Batch, one module for each resource.

May import: ``batch/model`` and below.
"""
