"""The panel of one pool: its size, its resize attempts and its nodes, as widgets.

``panel`` puts the parts together and follows the pool; ``size_tab`` and ``question_tab`` are its tabs; ``snapshot`` is
what it shows without widgets; ``chooser`` lists the pools where none is named.

May import: ``ui/widgets`` and below.
"""
