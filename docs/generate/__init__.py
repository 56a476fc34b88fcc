"""The generators of pages: a module for each, run by ``make docs``.

May import: all of the package, and what ``tests/support`` knows of the SDKs.
"""
