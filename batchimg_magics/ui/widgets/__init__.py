"""Widgets and their JavaScript: the node map, sliders, lines to copy.

May import: ``session`` and below.
"""
