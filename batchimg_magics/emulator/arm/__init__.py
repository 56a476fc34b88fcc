"""Azure Resource Manager: resources, their types and bodies, long-running operations, imported documents.

May import: ``catalog`` and below.
"""
