"""The faces of the package: the magic, the command line, and what both are made of.

``verbs`` is the table of verbs and options; ``lines`` and ``completion`` read a line by it. ``tables``, ``display`` and
``progress`` are how answers and waiting look. ``magics`` and ``cli`` are the two doors.
"""
