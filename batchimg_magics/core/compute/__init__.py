"""One module per Microsoft.Compute resource, and what an image is made from.

May import: ``azure`` and below.
"""
