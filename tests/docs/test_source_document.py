"""Every requirement of the source document is held by a rule, a line or a test that exists."""

from __future__ import annotations

import re

import pytest

from batchimg_magics.core.checks.rules.registry import RULES
from batchimg_magics.ui.line_parser import parse_line, split_line
from docs.generate import rules
from tests.support.paths import ROOT

PAGE = (ROOT / "docs/source-document.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| (?!Requirement|---)(.+?) \| (.+) \|$", PAGE, re.MULTILINE)


def holds(named: str) -> bool:
    """Tell whether what a row names exists: a rule, a test, or a line that can be read."""
    kind, _, rest = named.partition(" ")
    if kind == "rule":
        return rest in {rule.id for rule in RULES}
    if kind == "%batchimg":
        return bool(parse_line(split_line(rest)).verb)
    file, _, test = named.partition("::")
    return re.search(rf"^(async )?def {test}\(", (ROOT / file).read_text(encoding="utf-8"), re.MULTILINE) is not None


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0][:60])
def test_what_holds_a_requirement_exists(row: tuple[str, str]) -> None:
    named = re.findall(r"`(.+?)`", row[1])
    assert named
    assert {one: holds(one) for one in named} == dict.fromkeys(named, True)


def test_the_page_has_every_part_of_the_document() -> None:
    assert len(ROWS) >= 30
    assert holds("rule nothing") is False
    assert holds("tests/docs/test_docs.py::test_nothing") is False


def test_the_page_of_rules_is_current() -> None:
    assert (ROOT / "docs/rules.md").read_text(encoding="utf-8") == rules.render_page(), "run `make docs`"


def test_every_rule_states_a_requirement_and_its_source() -> None:
    names = [rule.id for rule in RULES]
    assert len(set(names)) == len(names)
    assert all(rule.title and rule.source and re.fullmatch(r"[a-z-]+", rule.id) for rule in RULES)
