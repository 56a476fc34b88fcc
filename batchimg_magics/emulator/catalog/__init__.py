"""Tables of facts about Azure: VM sizes, Marketplace images, regions, disk SKUs.

May import: ``world``.
"""
