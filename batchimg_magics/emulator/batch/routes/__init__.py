"""The operations of Batch, a module for each resource.

May import: ``batch/model`` and below.
"""
