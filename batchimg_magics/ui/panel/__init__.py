"""The sizing panel: one pool, its size, its rounds and its nodes, as widgets.

``panel`` puts the parts together and follows the pool; ``sizing`` and ``question`` are its tabs, ``static`` is what it
looks like without widgets, ``chooser`` lists the pools where none is named.
"""

from __future__ import annotations

from batchimg_magics.ui.panel.chooser import Chooser
from batchimg_magics.ui.panel.panel import Panel

__all__ = ["Chooser", "Panel"]
