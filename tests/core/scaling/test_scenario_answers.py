"""In a scenario all verbs tell the same story, whatever its effect is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from batchimg_magics.emulator.http.scenarios import SCENARIOS
from batchimg_magics.errors import BatchImgError

if TYPE_CHECKING:
    from batchimg_magics.session.session import Session

LINE: dict[str, Any] = {"from_vm": "prep-vm", "vm_size": "Standard_D2s_v5", "canary": False}


def told(session: Session, verb: str, *names: str, **options: Any) -> str:
    """Return what a verb tells: its caption and its table, or its error."""
    try:
        frame = getattr(session, verb)(*names, **options)
    except BatchImgError as error:
        return f"{type(error).__name__}: {error} {error.hint} {error.table and error.table.columns}"
    return f"{frame.attrs['caption']}\n{frame.to_csv()}"


#: Scenario -> the verbs after the creation of a pool of two nodes, and what each tells.
ANSWERS: dict[str, tuple[tuple[str, tuple[str, ...], dict[str, Any], str], ...]] = {
    "image-deleted": (
        ("pools", (), {}, "missing"),
        ("images", (), {}, "images: 0"),
        ("check", ("p",), {}, "the image is missing"),
        ("resize", ("p",), {"nodes": 3}, "its image does not exist"),
        ("nodes", ("p",), {}, "2 idle"),
        ("plan", ("p",), {**LINE, "nodes": 2}, "wanted a new one"),
    ),
    "bad-start-task": (
        ("pools", (), {}, ",2,2,"),
        ("nodes", ("p",), {}, "2 starttaskfailed"),
        ("wait", ("p",), {}, "2 starttaskfailed"),
    ),
    "quota": (
        ("check", ("prep-vm",), {"vm_size": "Standard_D2s_v5", "nodes": 30}, "60 dedicated cores needed, 36 of 40"),
        ("plan", ("q",), {**LINE, "nodes": 30}, "60 dedicated cores needed, 36 of 40"),
        ("resize", ("p",), {"nodes": 30}, "60 cores needed, 40 of 40 free"),
        ("estimate", (), {"tasks": 900, "minutes": 60, "deadline": "2h"}, "0 of"),
    ),
    "not-generalized": (
        ("nodes", ("p",), {}, "2 unusable"),
        ("wait", ("p",), {}, "2 unusable"),
        ("resize", ("p",), {"nodes": 3}, "not usable"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("scenario", ANSWERS)
def test_the_verbs_agree(session: Session, scenario: str) -> None:
    session.connect(state=":memory:", speed="max", scenario=scenario)
    start = {"start_task": "/bin/true"} if scenario == "bad-start-task" else {}
    told(session, "create", "p", nodes=2, **LINE, **start)
    for verb, names, options, words in ANSWERS[scenario]:
        assert words in told(session, verb, *names, **options), verb


def test_every_scenario_has_a_description_in_one_line() -> None:
    assert all(one.description and "\n" not in one.description for one in SCENARIOS.values())
