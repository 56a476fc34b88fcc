"""The panel of one pool: its size, its resize attempts and its nodes, as widgets.

``panel`` combines the parts and watches the pool. ``size_tab`` and ``estimate_tab`` are its tabs. ``static_html`` is
its content without widgets. ``chooser`` is a list of pools to open, shown if no pool is named.

May import: ``ui/widgets`` and below.
"""
