"""The front ends: ``magics`` (the IPython magic) and ``cli`` (the command line).

``line_parser`` and ``completion`` read a line, ``tables``, ``dataframe``, ``plot`` and ``progress`` show results and
progress. ``widgets`` and ``panel`` are the interactive parts, ``server`` is the extension of the Jupyter server.

May import: ``session`` and below.
"""
