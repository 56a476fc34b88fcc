"""Tables of Azure's facts: VM sizes, Marketplace images, regions, disk SKUs.

May import: ``world``.
"""
