"""Every rule, with resources that break it and with resources that keep it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from batchimg_magics.core.checks.rules.registry import RULES
from batchimg_magics.errors import ResizeError
from batchimg_magics.pool_spec.words import ACCEPTABLE_RULES
from batchimg_magics.ui.line_parser import parse_line, split_line
from tests.support.rule_cases import CASES, TOOLS, USER, Case, both, commands, findings, nodes_of, there
from tests.support.rule_resources import SIZE, RuleResources, pool

if TYPE_CHECKING:
    from pathlib import Path

    from batchimg_magics.session.session import Session

#: A single thing in the plural.
_ONE_IN_PLURAL = re.compile(
    r"(?<![\d.,:-])1 (?!spot)(\w+ ){0,2}(nodes|pools|disks|replicas|policies|slots|days|cores|characters)\b"
)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_what_a_rule_says(session: Session, tmp_path: Path, case: Case) -> None:
    table = findings(session, case, tmp_path)
    said = table[(table.rule == case.rule) & table.found.str.contains(case.says, regex=False)]
    assert len(said) == 1, table[table.rule == case.rule].to_dict("records")
    (row,) = said.to_dict("records")
    assert (None if said.ok.isna().all() else bool(row["ok"])) is case.ok
    assert not case.severity or row["severity"] == case.severity
    assert case.fix in str(row["fix"])
    assert not [text for text in (*table.found, *table.fix.dropna()) if _ONE_IN_PLURAL.search(text)]
    if case.ok:
        others = table[table.rule == case.rule]
        assert others.ok.all(), others.to_dict("records")
    for line in commands(table, "%%?batchimg"):
        parse_line(split_line(line))


def test_every_rule_is_seen_broken_and_kept() -> None:
    elsewhere = {"image-age", "permissions", "pool-name"}  # tests of their own, below and beside
    names = {rule.id for rule in RULES} - elsewhere
    assert {case.rule for case in CASES if case.fires} == names
    assert {case.rule for case in CASES if not case.fires} | {"data-disks", "subnet-role"} == names


def test_the_rules_that_can_be_accepted_are_the_ones_that_options_know() -> None:
    assert {rule.id for rule in RULES if rule.is_acceptable} == set(ACCEPTABLE_RULES)


def test_compute_s_quotas_bind_a_resize_in_the_account_s_own_subscription(session: Session, tmp_path: Path) -> None:
    """The same numbers as the rules', before anything is asked for."""
    lab = RuleResources()
    both(USER, TOOLS, there(pool(currentDedicatedNodes=2, scaleSettings=nodes_of(2))))(lab)
    lab.open(session, tmp_path)
    said = "cores of standardDDSv5Family in the region: 400 cores needed, 350 of 350 free, 50 missing; 87 dedicated"
    with pytest.raises(ResizeError, match=said):
        session.resize("old-pool", nodes=100)
    found = session.estimate(tasks=1000, minutes=60, deadline="2h", vm_size=SIZE, kind="dedicated", slots=1)
    assert found.cores_free.tolist() == [342]


def test_what_other_pools_were_promised_counts_in_the_account_s_own_subscription(
    session: Session, tmp_path: Path
) -> None:
    lab, names = RuleResources(), ("sim-a", "sim-b")
    both(USER, TOOLS, there(*(pool(name, metadata=[{"name": "batchimg-pool", "value": name}]) for name in names)))(lab)
    lab.open(session, tmp_path)
    shown = session.resize("sim-*", nodes=60, dry_run=True).set_index("pool").message
    assert "over quota" not in shown["sim-a"]
    assert "130 missing" in shown["sim-b"]
