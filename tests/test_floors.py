"""The floors of the house: which wing may import which. Read from the source, so that lazy imports count too."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

PACKAGE = "batchimg_magics"
ROOT = Path(__file__).parents[1] / PACKAGE
#: Folder -> its floors, from the ground up: what stands on one imports from those below it, not from its neighbours.
FLOORS: dict[str, tuple[set[str], ...]] = {
    PACKAGE: (
        {"masking"},
        {"errors"},
        {"resource_ids"},
        {"pool_spec"},
        {"core"},
        {"connection"},
        {"verbs", "display"},
        {"session"},
        {"ui"},
        {"__init__", "__main__"},
    ),
    f"{PACKAGE}.core": (
        {"base"},
        {"azure"},
        {"compute"},
        {"batch"},
        {"estimates", "images"},
        {"scaling", "checks"},
        {"lock", "runs"},
        {"operations"},
    ),
    f"{PACKAGE}.emulator": (
        {"world"},
        {"http", "catalog"},
        {"arm"},
        {"network"},
        {"compute"},
        {"batch"},
        {"services"},
        {
            "app",
            "control",
            "furnish",
            "transport",
            "emulator",
            "serving",
            "server",
            "state_document",
            "credentials",
            "testing",
        },
    ),
    f"{PACKAGE}.emulator.compute": ({"guest"}, {"model"}, {"routes"}),
    f"{PACKAGE}.emulator.batch": ({"rest"}, {"fleet", "autoscale"}, {"model"}, {"routes", "execution"}),
}
#: Folders whose top floor is one room: its modules may import each other.
OPEN_TOPS = {f"{PACKAGE}.emulator", PACKAGE}
EMULATOR = f"{PACKAGE}.emulator"
#: The emulator stands alone. These reach it, and only inside a function: nobody pays for it who does not use it.
EMULATOR_USERS = (f"{PACKAGE}.connection.", f"{PACKAGE}.ui.cli")
MODULES = {
    ".".join(part for part in path.relative_to(ROOT.parent).with_suffix("").parts if part != "__init__"): path
    for path in sorted(ROOT.rglob("*.py"))
}


def source(module: str) -> ast.Module:
    return ast.parse(MODULES[module].read_text(encoding="utf-8"))


def imported(tree: ast.AST) -> set[str]:
    """Return the modules of the package that a tree imports, at any time or for its types alone."""
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert not node.level, "imports name the package in full"
            full = {f"{node.module}.{alias.name}" for alias in node.names}
            names |= {name if name in MODULES else node.module for name in full}
    return {name for name in names if name in MODULES}


def within(module: str, folder: str) -> str | None:
    """Return the part of a folder that a module is in; the folder's own face is ``__init__``."""
    if module == folder:
        return "__init__"
    return module.removeprefix(f"{folder}.").split(".")[0] if module.startswith(f"{folder}.") else None


def floor(folder: str, part: str) -> int:
    return next((number for number, parts in enumerate(FLOORS[folder]) if part in parts), -1)


def is_emulator(module: str) -> bool:
    return module == EMULATOR or module.startswith(f"{EMULATOR}.")


def arrows_up(module: str, others: set[str]) -> set[str]:
    """Return what a module imports from a floor above its own, or from a neighbour."""
    wrong = set()
    for folder, floors in FLOORS.items():
        here = within(module, folder)
        if here is None or (folder == PACKAGE and is_emulator(module)) or (folder != PACKAGE and here == "__init__"):
            continue
        own = floor(folder, here)
        is_open = folder in OPEN_TOPS and own == len(floors) - 1
        for other in others:
            there = within(other, folder)
            if there in (None, here, "__init__") or is_emulator(other) != is_emulator(module):
                continue
            above = floor(folder, there) - own
            if above > 0 or (above == 0 and not is_open):
                wrong.add(f"{module} -> {other}")
    return wrong


@pytest.mark.parametrize("module", MODULES)
def test_no_module_imports_from_a_floor_above_or_a_neighbour(module: str) -> None:
    assert arrows_up(module, imported(source(module))) == set()


@pytest.mark.parametrize("folder", FLOORS)
def test_every_part_of_a_folder_has_a_floor(folder: str) -> None:
    parts = {within(module, folder) for module in MODULES} - {None, "__init__"}
    if folder == PACKAGE:
        parts = parts - {"emulator"} | {"__init__"}
    assert parts == set.union(*FLOORS[folder])


@pytest.mark.parametrize("module", [module for module in MODULES if is_emulator(module)])
def test_the_emulator_imports_nothing_else_of_the_package(module: str) -> None:
    assert {other for other in imported(source(module)) if not is_emulator(other)} == set()


@pytest.mark.parametrize("module", [module for module in MODULES if not is_emulator(module)])
def test_the_emulator_is_imported_by_few_and_inside_functions(module: str) -> None:
    tree = source(module)
    assert module.startswith(EMULATOR_USERS) or not any(map(is_emulator, imported(tree)))
    at_import = [node for node in tree.body if isinstance(node, (ast.Import, ast.ImportFrom))]
    assert not any(map(is_emulator, imported(ast.Module(at_import, []))))


def test_no_modules_go_round_in_circles() -> None:
    graph = {module: imported(source(module)) - {module} for module in MODULES}
    # Take away what imports nothing any more, and what nobody imports, again and again: what is left goes in circles.
    while True:
        used = set().union(*graph.values())
        kept = {module: found & graph.keys() for module, found in graph.items() if module in used}
        kept = {module: found for module, found in kept.items() if found}
        if kept == graph:
            break
        graph = kept
    assert graph == {}


@pytest.mark.parametrize(
    "folder", sorted({path.parent for path in MODULES.values()}), ids=lambda path: str(path.relative_to(ROOT.parent))
)
def test_every_folder_has_a_face_that_says_what_it_may_import(folder: Path) -> None:
    face = ast.parse((folder / "__init__.py").read_text(encoding="utf-8"))
    said = ast.get_docstring(face) or ""
    assert said
    assert folder == ROOT or "May import:" in said


def test_modules_are_short_and_names_of_files_are_rare() -> None:
    lines = {module: len(path.read_text(encoding="utf-8").splitlines()) for module, path in MODULES.items()}
    assert {module: count for module, count in lines.items() if count > 400} == {}
    core = [path.stem for module, path in MODULES.items() if module.startswith(f"{PACKAGE}.core")]
    assert {name for name in core if core.count(name) > 3 and name != "__init__"} == set()
