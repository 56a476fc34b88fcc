"""The panel of one pool: one widget with a head, a size, a forecast, buttons, and sections below them.

``panel`` combines the parts and watches the pool. ``head``, ``cards`` and ``buttons`` make the states that the browser
shows; ``form`` is the size that the user edits; ``pool_work`` follows the verbs that run. ``estimate``,
``nodes_section``, ``runs_section`` and ``attempts_section`` are the sections (``section`` is their contract).
``display`` writes the widget and its static form. ``chooser`` is a list of pools to open, shown if no pool is named.

May import: ``ui/widgets`` and below.
"""
