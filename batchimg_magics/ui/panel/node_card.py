"""The card of the selected nodes: what they are, why they failed, and what can be done with them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from batchimg_magics.core.batch import node_actions, nodes, pools
from batchimg_magics.core.batch.node_actions import NodeAction
from batchimg_magics.core.operations.logs import LogQuery, read_logs
from batchimg_magics.errors import BatchImgError, ConflictError
from batchimg_magics.pool_spec.line import format_line
from batchimg_magics.pool_spec.words import count_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from batchimg_magics.core.azure.client import Azure
    from batchimg_magics.core.batch.node_pages import Node
    from batchimg_magics.core.scaling.watch import PoolSnapshot
    from batchimg_magics.ui.panel.section import SectionHost
    from batchimg_magics.ui.widgets.squares import Squares

__all__ = ["NodeCard"]

#: Nodes that can be selected: as many as Azure removes with one request.
MAX_SELECTED = 100
#: Characters of a log that the card shows; the verb ``logs`` has all of it.
MAX_LOG = 20_000
_NO_ENDPOINT = "The pool has no endpoint for remote login: create a pool with --login-ports."
_USER_NOTE = "The user is an account of the pool, or one that is added to the node, in the Azure portal for example."
_ACTIONS = {one.value: one for one in (NodeAction.REBOOT, NodeAction.REMOVE)}


class NodeCard:
    """The selected nodes of a pool.

    Parameters
    ----------
    host
        The panel.
    squares
        The nodes of the map.
    changed
        Called when the card changed.

    Attributes
    ----------
    selected
        The ids of the selected nodes.
    """

    def __init__(self, host: SectionHost, squares: Squares, changed: Callable[[], None]) -> None:
        self.selected: list[str] = []
        self._host = host
        self._squares = squares
        self._changed = changed
        self._snapshot: PoolSnapshot | None = None
        self._states: dict[str, str] = {}
        self._details: dict[str, Node] = {}
        self._opened: dict[str, Any] = {}
        self._asking = ""
        self._problem = ""

    def show(self, snapshot: PoolSnapshot) -> None:
        """Show a snapshot of the pool; details are read again of a selected node whose state changed."""
        self._snapshot = snapshot
        wanted = set(self.selected)
        now = {node.id: node.state for node in snapshot.nodes if node.id in wanted} if wanted else {}
        changed = [one for one, state in now.items() if self._states.get(one) != state]
        self._states = now
        self._read_details(changed)

    def select(self, node_id: str, *, add: bool = False) -> None:
        """Select a node only, or add it to the selected nodes; a second time, it is no longer selected."""
        if add:
            known = node_id in self.selected
            self.selected = [one for one in self.selected if one != node_id] + ([] if known else [node_id])
            self.selected = self.selected[-MAX_SELECTED:]
        else:
            self.selected = [] if self.selected == [node_id] else [node_id]
        self._opened, self._asking, self._problem = {}, "", ""
        if self._snapshot is not None:
            wanted = set(self.selected)
            self._states = {node.id: node.state for node in self._snapshot.nodes if node.id in wanted}
        self._read_details([node_id] if node_id in self.selected else [])
        self._changed()

    def on_message(self, content: dict[str, Any]) -> None:
        """Answer a front end. Its messages are untrusted: anything unexpected is ignored."""
        match content:
            case {"kind": "unselect"}:
                self.selected, self._opened, self._asking, self._problem = [], {}, "", ""
            case {"kind": "act", "action": str(word)} if word in _ACTIONS and not self._reason(_ACTIONS[word]):
                self._act(_ACTIONS[word])
            case {"kind": "confirm"} if self._asking:
                self._start(_ACTIONS[self._asking])
            case {"kind": "cancel"}:
                self._asking = ""
            case {"kind": "open", "what": "logs" | "login" as what} if len(self.selected) == 1:
                self._toggle(what)
            case _:
                return
        self._changed()

    # -- what can be done ----------------------------------------------------------------------------------------

    def _act(self, action: NodeAction) -> None:
        if action is NodeAction.REMOVE or self._running_tasks():
            self._asking = action.value
        else:
            self._start(action)

    def _start(self, action: NodeAction) -> None:
        self._asking = ""
        run = self._host.start_verb("repair", **self._options(action), yes=True)
        if run is not None:
            run.add_done_callback(self._changed)

    def _options(self, action: NodeAction) -> dict[str, Any]:
        return {"node": tuple(self._present()), action.value.replace("-", "_"): True}

    def _present(self) -> list[str]:
        return [one for one in self.selected if one in self._states]

    def _running_tasks(self) -> int:
        return sum(node.running_tasks_count or 0 for one in self._present() if (node := self._details.get(one)))

    def _reason(self, action: NodeAction) -> str:
        """Return why an action is not possible now; empty: it is."""
        pool = self._snapshot.pool if self._snapshot else None
        if not self._present() or pool is None:
            return f"{'the node is' if len(self.selected) == 1 else 'the nodes are'} not in the pool any more"
        if (running := self._host.session.find_running(self._host.name)) is not None:
            return f"available when `{running.label}` ends"
        found = (node_actions.unavailable_reason(action, self._states[one], pool) for one in self._present())
        return next(filter(None, found), "")

    # -- what is read --------------------------------------------------------------------------------------------

    def _read_details(self, node_ids: Iterable[str]) -> None:
        wanted = list(node_ids)
        if not wanted:
            return

        async def read(azure: Azure) -> None:
            try:
                for one in wanted:
                    node = await nodes.read_node(azure, self._host.name, one)
                    self._details = {key: value for key, value in self._details.items() if key in self.selected}
                    if node is not None:
                        self._details[one] = node
                self._problem = ""
            except BatchImgError as error:
                self._problem = error.message
            self._changed()

        self._host.read(read)

    def _toggle(self, what: str) -> None:
        if self._opened.get("what") == what:
            self._opened = {}
            return
        (node_id,) = self.selected
        self._opened = opened = {"what": what, "line": "", "loading": True, "files": [], "problem": ""}
        read = self._read_logs if what == "logs" else self._read_login

        async def read_and_show(azure: Azure) -> None:
            try:
                result = await read(azure, node_id)
            except BatchImgError as error:
                result = {"problem": error.message}
            if self._opened is opened:
                self._opened = opened | result | {"loading": False}
                self._changed()

        self._host.read(read_and_show)

    async def _read_logs(self, azure: Azure, node_id: str) -> dict[str, Any]:
        table = await read_logs(azure, LogQuery(self._host.name, node_id))
        line = f"{format_line('logs', {'name': self._host.name})} {node_id}"
        return {"files": [_file_state(row) for row in table.rows()], "line": line}

    async def _read_login(self, azure: Azure, node_id: str) -> dict[str, Any]:
        try:
            address, port = await nodes.read_login_endpoint(azure, self._host.name, node_id)
        except ConflictError:
            return {"problem": _NO_ENDPOINT}
        pool = await pools.read(azure, self._host.name)
        login = f"ssh -p {port} USER@{address}"
        if "windows" in pools.agent_of(pool).lower():
            login = f"mstsc /v:{address}:{port}"
        line = format_line("nodes", {"name": self._host.name, "login": node_id})
        return {"login": login, "note": _USER_NOTE, "line": line}

    # -- what is shown -------------------------------------------------------------------------------------------

    def state(self) -> dict[str, Any]:
        """Return the selected places of the map, and the card; it is empty if no node is selected."""
        places = [place for one in self.selected if (place := self._squares.place(one)) is not None]
        return {"selected": places, "card": self._card() if self.selected else {}}

    def _card(self) -> dict[str, Any]:
        reasons = {word: self._reason(action) for word, action in _ACTIONS.items()}
        action = _ACTIONS.get(self._asking)
        asks = {}
        if action is not None:
            asks = {
                "text": self._question(action),
                "button": f"{action.value.capitalize()} {count_text(len(self._present()), 'node')}",
                "line": format_line("repair", {"name": self._host.name, **self._options(action)}),
            }
        return {
            "nodes": [self._node_state(one) for one in self.selected],
            "reasons": reasons,
            "asks": asks,
            "opened": self._opened,
            "problem": self._problem,
        }

    def _question(self, action: NodeAction) -> str:
        count, tasks = len(self._present()), self._running_tasks()
        text = f"{action.value.capitalize()} {'this node' if count == 1 else f'these {count} nodes'}?"
        if action is NodeAction.REMOVE:
            text += " The pool gets smaller."
        if tasks:
            text += f" {tasks} running {'task is' if tasks == 1 else 'tasks are'} requeued."
        return text

    def _node_state(self, node_id: str) -> dict[str, Any]:
        node, state = self._details.get(node_id), self._states.get(node_id, "")
        place = self._squares.place(node_id)
        facts = [] if node is None else _facts(node)
        return {
            "id": node_id,
            "state": state,
            "bad": state in nodes.BAD,
            "left": place is None or not state,
            "facts": facts,
            "errors": [] if node is None else _errors(node),
            "loading": node is None and bool(state),
        }


def _facts(node: Node) -> list[str]:
    facts = ["dedicated" if node.is_dedicated else "spot"]
    if node.ip_address:
        facts.append(node.ip_address)
    if node.state_transition_time:
        facts.append(f"since {node.state_transition_time[:19].replace('T', ' ')}Z")
    if node.running_tasks_count:
        facts.append(f"{node.running_tasks_count} running {'task' if node.running_tasks_count == 1 else 'tasks'}")
    if node.scheduling_state == "disabled":
        facts.append("takes no tasks")
    start = node.start_task_info
    if start is not None and start.exit_code is not None and node.state not in nodes.BAD:
        facts.append(f"start task: exit code {start.exit_code}")
    return facts


def _errors(node: Node) -> list[dict[str, str]]:
    """Return what went wrong with a node: the exit code of its start task, and Azure's errors."""
    found = [{"title": error.code, "text": error.message} for error in node.errors or ()]
    start = node.start_task_info
    if start is not None and start.exit_code not in (None, 0):
        found.insert(0, {"title": f"The start task ended with exit code {start.exit_code}", "text": ""})
    return found


def _file_state(row: dict[str, Any]) -> dict[str, str]:
    text = row.get("text") or ""
    cut = len(text) > MAX_LOG
    note = row.get("error") or ("the end of it" if cut else (row.get("shown") or "") if text else "empty")
    return {"name": row.get("file") or "", "text": text[-MAX_LOG:], "note": note}
