"""Bring a pool to a size: resize attempts until the nodes are there, their outcomes, unusable nodes, autoscale.

May import: ``estimates``, ``images`` and below.
"""
