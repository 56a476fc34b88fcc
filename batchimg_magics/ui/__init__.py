"""The faces of the package: the magic, the command line, and what both are made of.

``verbs`` is the table of verbs and options, ``lines`` reads a line by it, ``completion`` and ``reference`` are made
from it; ``tables`` and ``progress`` are how answers and waiting look; ``magics`` and ``cli`` are the two doors.
"""
