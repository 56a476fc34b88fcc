"""How answers look: tables as text and as HTML, DataFrames with a caption, durations and progress.

``tables`` renders plain columns without pandas; ``dataframe`` lets IPython show a frame; ``progress`` has the displays
of running work.

May import: ``core`` and below. IPython is imported inside functions: scripts and the command line do without it.
"""
