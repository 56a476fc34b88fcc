"""The floors of the house: which room may import which. Read from the source, so that lazy imports count too."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

PACKAGE = "batchimg_magics"
ROOT = Path(__file__).parents[1] / PACKAGE
#: From the ground up. A module imports from its own floor and from those below it.
FLOORS = (
    {"errors", "masking", "resource_ids"},
    {"pool_spec"},
    {"core"},
    {"connection"},
    {"verbs"},
    {"session"},
    {"ui"},
    {"__main__", PACKAGE},
)
#: The local Azure stands alone. These reach it, and only inside a function: nobody pays for it who does not use it.
EMULATOR_USERS = {"connection", "ui"}
MODULES = sorted(path.relative_to(ROOT.parent).with_suffix("").parts for path in ROOT.rglob("*.py"))


def room(parts: tuple[str, ...]) -> str:
    """Return the room of a module, given by its dotted name's parts; the package's own face is a room."""
    inner = [part for part in parts[1:] if part != "__init__"]
    return inner[0] if inner else PACKAGE


def imported(tree: ast.AST) -> set[str]:
    """Return the rooms that a tree imports from."""
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert not node.level, "imports name the package in full"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return {room(tuple(name.split("."))) for name in names if name.split(".")[0] == PACKAGE}


def floor(name: str) -> int:
    return next(number for number, rooms in enumerate(FLOORS) if name in rooms)


def source(parts: tuple[str, ...]) -> ast.Module:
    return ast.parse(ROOT.parent.joinpath(*parts).with_suffix(".py").read_text(encoding="utf-8"))


@pytest.mark.parametrize("parts", MODULES, ids=".".join)
def test_nobody_imports_from_a_floor_above(parts: tuple[str, ...]) -> None:
    here, found = room(parts), imported(source(parts))
    if here == "emulator":
        assert found <= {"emulator"}
        return
    if "emulator" in found:
        assert here in EMULATOR_USERS
    above = {other for other in found - {"emulator", here} if floor(other) > floor(here)}
    assert not above


@pytest.mark.parametrize("parts", [parts for parts in MODULES if room(parts) != "emulator"], ids=".".join)
def test_the_local_azure_is_reached_only_lazily(parts: tuple[str, ...]) -> None:
    at_import = [node for node in source(parts).body if isinstance(node, (ast.Import, ast.ImportFrom))]
    assert "emulator" not in imported(ast.Module(at_import, []))


def test_every_room_has_a_floor() -> None:
    rooms = {room(parts) for parts in MODULES} - {"emulator"}
    assert rooms == set.union(*FLOORS)


def modules_imported(parts: tuple[str, ...]) -> set[tuple[str, ...]]:
    """Return the modules that one imports, at any time or for its types alone; a package's face for its names."""
    found = set()
    for node in ast.walk(source(parts)):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == PACKAGE:
            path = tuple(node.module.split("."))
            found |= {next(one for one in _ways(path, alias.name) if one in MODULES) for alias in node.names}
        elif isinstance(node, ast.Import):
            names = (tuple(alias.name.split(".")) for alias in node.names)
            found |= {(*name, "__init__") if (*name, "__init__") in MODULES else name for name in names}
    return {one for one in found if one in MODULES} - {parts}


def _ways(path: tuple[str, ...], name: str) -> tuple[tuple[str, ...], ...]:
    return (*path, name, "__init__"), (*path, name), path, (*path, "__init__")


def test_no_modules_go_round_in_circles() -> None:
    graph = {parts: modules_imported(parts) for parts in MODULES}
    # Take away what imports nothing any more, and what nobody imports, again and again: what is left goes in circles.
    while True:
        used = set().union(*graph.values())
        kept = {parts: found & graph.keys() for parts, found in graph.items() if parts in used}
        kept = {parts: found for parts, found in kept.items() if found}
        if kept == graph:
            break
        graph = kept
    assert {".".join(parts): sorted(map(".".join, found)) for parts, found in graph.items()} == {}
