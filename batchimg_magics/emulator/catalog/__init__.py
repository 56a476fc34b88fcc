"""The tables of Azure's own facts: VM sizes, Marketplace images, regions, disk SKUs.

May import: ``world``, ``http``.
"""
