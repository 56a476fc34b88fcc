"""What the record of a result adds to the time and the size of a cell's output."""

from __future__ import annotations

import json
from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING, Any

from batchimg_magics.core.base.records import MIME_TYPE
from batchimg_magics.session.record import finished_record
from tests.bench.rows import Row
from tests.support.shells import ipython

if TYPE_CHECKING:
    from collections.abc import Iterator

    from IPython.core.interactiveshell import InteractiveShell

ROUNDS, GOAL_MS = 200, 2.0
CREATE = "create genomics --from-vm prep-vm --vm-size Standard_D4s_v5 --nodes 1"
BODY = "from_vm: prep-vm\nvm_size: Standard_D4s_v5\nstart_task:\n  command_line: setup.sh\n  environment: {A: b}\n"


def rows() -> Iterator[Row]:
    """Measure the record of a plain line, and of a cell with a body."""
    with ipython(state=":memory:", speed="max") as shell:
        shell.run_line_magic("batchimg", CREATE)
        whole = _seconds(lambda: shell.display_formatter.format(shell.run_line_magic("batchimg", "nodes genomics")))
        yield _measured(shell, "nodes genomics", {"name": "genomics"}, whole)
        yield _measured(shell, "a cell with a body", {"name": "genomics", "spec": BODY}, whole)


def _measured(shell: InteractiveShell, what: str, options: dict[str, Any], whole: float) -> Row:
    frame = shell.run_line_magic("batchimg", "nodes genomics")
    bundle = shell.display_formatter.format(frame)[0]
    session = shell.magics_manager.registry["BatchImgMagics"].session
    table = session.run_table("nodes", name="genomics")
    seconds = _seconds(lambda: finished_record("nodes", options, session.connection, None, table))
    shown = sum(len(text) for name, text in bundle.items() if name != MIME_TYPE)
    return Row(
        f"record of a result: {what}",
        "ms",
        seconds * 1000,
        limit=whole * 1000,
        limit_ratio=seconds / whole,
        goal=f"<= {GOAL_MS:g} ms",
        met=seconds * 1000 <= GOAL_MS,
        note=f"limit: the whole cell; {len(json.dumps(bundle[MIME_TYPE])):,} characters beside {shown:,} of the table",
    )


def _seconds(call: Any) -> float:
    times = []
    for _ in range(ROUNDS):
        began = perf_counter()
        call()
        times.append(perf_counter() - began)
    return median(times)
