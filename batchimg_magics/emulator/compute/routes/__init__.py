"""The operations of Microsoft.Compute, one module for each resource.

May import: ``compute/model`` and below.
"""
