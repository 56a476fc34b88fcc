"""What the package imports is what `pyproject.toml` declares, and the license that it names is there."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from importlib import metadata

import pytest

from tests.support.paths import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
PACKAGE = ROOT / "batchimg_magics"
#: Programs that load a part of the package, so that they are there: its fixture is a plugin of pytest.
HOSTS = {"pytest"}


def plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def names(requirements: list[str]) -> set[str]:
    return {plain(re.split(r"[\s<>=!~;\[]", one, maxsplit=1)[0]) for one in requirements}


def imported() -> set[str]:
    """Return the dotted names of the modules of others that the package imports, wherever it does."""
    found: set[str] = set()
    for file in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                found |= {one.name for one in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                found.add(node.module)
    own = {"batchimg_magics", *sys.stdlib_module_names, *HOSTS}
    return {name for name in found if name.partition(".")[0] not in own}


def distributions_of(module: str) -> set[str]:
    """Return the distributions that have a module; several share the namespace `azure`."""
    top = module.partition(".")[0]
    known = {plain(one) for one in DISTRIBUTIONS.get(top, [])}
    if top != "azure":
        return known
    parts = module.split(".")
    wanted = {"-".join(parts[:count]) for count in (2, 3)}
    return known & wanted


DISTRIBUTIONS = metadata.packages_distributions()
DECLARED = names(PROJECT["dependencies"]).union(*map(names, PROJECT["optional-dependencies"].values()))


@pytest.mark.parametrize("module", sorted({".".join(one.split(".")[:3]) for one in imported()}))
def test_what_is_imported_is_declared(module: str) -> None:
    found = distributions_of(module)
    assert found, "no distribution has it"
    assert found & DECLARED, f"declare {', '.join(sorted(found))}"


def test_the_license_is_there() -> None:
    (file,) = PROJECT["license-files"]
    assert PROJECT["license"] in (ROOT / file).read_text(encoding="utf-8")
