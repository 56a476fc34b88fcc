"""Widgets and their JavaScript: the node map, sliders, commands to copy.

May import: ``session`` and below.
"""
