"""The operations of Microsoft.Compute, a module for each resource.

May import: ``compute/model`` and below.
"""
