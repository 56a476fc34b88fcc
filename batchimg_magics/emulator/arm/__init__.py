"""Azure Resource Manager: resources, their types and bodies, long-running operations, imported documents, open mode.

May import: ``catalog`` and below.
"""
