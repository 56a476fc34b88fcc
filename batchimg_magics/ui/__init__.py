"""What users see: the magic, the command line, and what both are made of.

``magics`` and ``cli`` are the two entry points. ``line_words`` splits a line, ``references`` and ``expansion`` replace
variables, ``line_parser`` reads the options, ``help_text`` explains them. ``completion`` completes a line,
``cell_completion`` a cell, ``shell_completion`` a command. ``widgets`` and ``panel`` are the dashboard of a pool.

May import: ``session`` and below; the command line imports the emulator, inside a function.
"""
