"""A list of pools whose panel can be opened."""

from __future__ import annotations

import threading
from concurrent.futures import CancelledError
from contextvars import copy_context
from typing import TYPE_CHECKING, Any

import anywidget
import traitlets
from ipywidgets import widget_serialization

from batchimg_magics.errors import BatchImgError
from batchimg_magics.masking import make_visible
from batchimg_magics.ui.panel.activity import error_state
from batchimg_magics.ui.panel.display import display_panel
from batchimg_magics.ui.panel.head import connection_text
from batchimg_magics.ui.panel.panel import Panel
from batchimg_magics.ui.panel.static_html import pools_html
from batchimg_magics.ui.widgets.modules import CHOOSER_SCRIPT, PANEL_STYLE
from batchimg_magics.ui.widgets.shown_state import ShownList, ShownState

if TYPE_CHECKING:
    from batchimg_magics.session.session import Session

__all__ = ["PoolChooser"]


class PoolChooser(anywidget.AnyWidget):
    """A list of the account's pools, with the panel of the selected one below it.

    Parameters
    ----------
    session
        The session whose connection is used.

    Attributes
    ----------
    pools
        The pools as JSON documents.
    status
        What is shown below the list: the pool that is being opened, or an error.
    panel
        The panel of the selected pool; None before one was opened.
    open_thread
        The thread that opens the panel; None before one was opened.
    """

    _esm = CHOOSER_SCRIPT
    _css = PANEL_STYLE
    model = traitlets.Unicode("").tag(sync=True)
    head = ShownState().tag(sync=True)
    pools = ShownList().tag(sync=True)
    status = ShownState().tag(sync=True)
    panel = traitlets.Any(None, allow_none=True).tag(sync=True, **widget_serialization)

    def __init__(self, session: Session) -> None:
        rows = session.run_table("pools").rows()
        self.session = session
        self.open_thread: threading.Thread | None = None
        super().__init__()
        connection = session.connection
        self.model = self.model_id or ""
        self.head = {
            "connection": connection_text(connection),
            "real": connection is not None and connection.is_billed,
            "usd_per_hour": _rate(_sum([row.get("usd_per_hour") for row in rows])),
        }
        self.pools = [_pool_state(row) for row in rows]
        self.on_msg(self._on_message)

    def _on_message(self, _: object, content: dict[str, Any], __: object) -> None:
        """Answer a front end. Its messages are untrusted: anything unexpected is ignored."""
        match content:
            case {"kind": "open", "pool": str(name)} if any(one["pool"] == name for one in self.pools):
                self.open_pool(name)

    def open_pool(self, name: str) -> None:
        """Open the panel of a pool in a thread; the kernel is not blocked."""
        before, self.panel = self.panel, None
        if before is not None:
            before.close()
        self.status = {"pool": name, "message": f"Reading pool {name}"}
        # In the context of this click, so that IPython assigns output of the thread to the same cell.
        self.open_thread = threading.Thread(target=copy_context().run, args=(self._open, name), daemon=True)
        self.open_thread.start()

    def _open(self, name: str) -> None:
        try:
            self.panel = Panel(self.session, name)
        except BatchImgError as error:
            self.status = {"pool": name, **error_state(error)}
        except CancelledError:  # the session was closed
            self.status = {}
        else:
            self.status = {"pool": name}

    def close(self) -> None:
        """Close the list and the panel; verbs continue."""
        if self.panel is not None:
            self.panel.close()
        super().close()

    def _ipython_display_(self) -> None:
        """Display the widget where there are widgets, and its static form elsewhere."""
        display_panel(self)

    def static_html(self) -> str:
        """Return the list as HTML; all text is escaped."""
        return pools_html(self.head, self.pools)

    def __repr__(self) -> str:
        return self.static_text()

    def static_text(self) -> str:
        """Return the list as text for terminals."""
        rows = [f"  {one['pool']}: nodes {one['nodes']}, {' · '.join(one['facts'])}" for one in self.pools]
        none = "No pools. Create one with `%batchimg create`."
        lines = [self.head["connection"], *(rows or [none]), *["`%batchimg panel NAME` shows one"][: len(rows)]]
        return "\n".join(make_visible(line) for line in lines)


def _pool_state(row: dict[str, Any]) -> dict[str, Any]:
    """Return a pool as the list shows it."""
    counts = {key: row.get(key) or 0 for key in ("dedicated", "spot", "dedicated_target", "spot_target")}
    now, target = counts["dedicated"] + counts["spot"], counts["dedicated_target"] + counts["spot_target"]
    rate, created, expires = row.get("usd_per_hour"), row.get("created"), row.get("expires")
    facts = [str(row.get("allocation") or row.get("state") or ""), str(row["vm_size"]), _rate(rate)]
    if row.get("state") == "deleting":
        facts[0] = "deleting"
    if created is not None:
        facts.append(f"created {created:%Y-%m-%d}")
    if expires is not None:
        facts.append(f"expires {expires:%Y-%m-%d %H:%M}Z")
    return {
        "pool": row["pool"],
        "nodes": f"{now:,}" if now == target else f"{now:,} / {target:,}",
        "share": now / max(1, now, target),
        "facts": [one for one in facts if one],
        "warnings": _warnings(row),
    }


def _warnings(row: dict[str, Any]) -> list[str]:
    image, errors = row.get("image_state"), row.get("errors")
    warnings = [f"image is {image}: the pool cannot grow"] if image not in (None, "there", "available") else []
    if row.get("expiry_enforced") is False:
        warnings.append("its expiry is not enforced by Azure now")
    return [*warnings, *([f"last resize: {errors}"] if errors else [])]


def _rate(usd: float | None) -> str:
    return "cost not available" if usd is None else f"${usd:,.2f} an hour"


def _sum(rates: list[float | None]) -> float | None:
    known = [rate for rate in rates if rate is not None]
    return sum(known) if len(known) == len(rates) else None
