"""Measure, print one table, and write the same rows to ``build/bench.json``: ``python -m tests.bench [NAME ...]``."""

from __future__ import annotations

import json
import os
import platform
import sys
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from tests.bench import (
    clients,
    command_line,
    emulator_speed,
    masking,
    memory,
    node_map,
    node_table,
    records,
    runs,
    servers,
    slow_large,
    startup,
    vm_to_nodes,
)
from tests.bench.rows import NotMeasuredError, Row

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.bench.rows import Bench

#: By the names that the command takes.
BENCHES: dict[str, Bench] = {
    "node-table": node_table.rows,
    "command-line": command_line.rows,
    "vm-to-nodes": vm_to_nodes.rows,
    "slow-large": slow_large.rows,
    "startup": startup.rows,
    "servers": servers.rows,
    "memory": memory.rows,
    "emulator": emulator_speed.rows,
    "clients": clients.rows,
    "node-map": node_map.rows,
    "records": records.rows,
    "masking": masking.rows,
    "runs": runs.rows,
}
HEADS = ("work", "unit", "ours", "peer", "ratio", "limit", "of limit", "goal", "met")
OUT = Path("build/bench.json")


def main(names: list[str]) -> int:
    """Run the benches of these names, or all."""
    if unknown := set(names) - set(BENCHES):
        sys.stderr.write(f"no bench is called {', '.join(sorted(unknown))}; there are {', '.join(BENCHES)}\n")
        return 2
    rows = [row for name in names or BENCHES for row in _measured(name)]
    sys.stdout.write(f"\n{table(rows)}\n\n{_machine()}\n")
    OUT.parent.mkdir(exist_ok=True)
    OUT.write_text(json.dumps([row.as_dict() for row in rows], indent=1) + "\n", encoding="utf-8")
    return 0


def _measured(name: str) -> Iterator[Row]:
    sys.stderr.write(f"{name} ...\n")
    try:
        yield from BENCHES[name]()
    except NotMeasuredError as reason:
        yield Row(name, "", note=f"not measured: {reason}")


def table(rows: list[Row]) -> str:
    """Return the rows as text: the notes of each below it."""
    cells = [HEADS, *(_cells(row) for row in rows)]
    widths = [max(len(line[place]) for line in cells) for place in range(len(HEADS))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in cells]
    noted = [[line, *([f"    {row.note}"] if row.note else [])] for line, row in zip(lines[1:], rows, strict=True)]
    return "\n".join([lines[0], "  ".join("-" * width for width in widths), *(one for two in noted for one in two)])


def _cells(row: Row) -> tuple[str, ...]:
    met = {True: "yes", False: "NO", None: ""}[row.met]
    return (
        row.work,
        row.unit,
        _number(row.ours),
        _number(row.peer),
        "" if row.ratio is None else f"{row.ratio:.3g}x",
        _number(row.limit),
        "" if row.limit_ratio is None else f"{row.limit_ratio:.3g}x",
        row.goal,
        met,
    )


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _machine() -> str:
    versions = ", ".join(f"{name} {metadata.version(name)}" for name in ("azure-batch", "msgspec", "pandas"))
    load = ", ".join(f"{one:.1f}" for one in os.getloadavg())
    return f"Python {platform.python_version()} on {os.cpu_count()} processors ({versions}); load {load}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
