"""Make, find and keep images: the steps from an image source to a gallery image version, and who uses it.

May import: ``batch`` and below.
"""
