"""The operating systems of VMs: their state, and what scripts do to them.

May import: ``arm`` and below.
"""
