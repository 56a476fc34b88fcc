"""Where an image comes from: one module for each source, with `find` and an image origin.

May import: ``batch`` and below, and the other modules of ``images``.
"""
