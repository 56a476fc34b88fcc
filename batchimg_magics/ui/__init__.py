"""What users see: the magic, the command line, and what both are made of.

``magics`` and ``cli`` are the two entry points; ``line_parser`` and ``completion`` read a line. ``widgets`` and
``panel`` are the dashboard of a pool.

May import: ``session`` and below; the command line imports the emulator, inside a function.
"""
