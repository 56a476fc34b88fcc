"""Old names of verbs, options and methods are refused in one line that has the new name."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from batchimg_magics.errors import SpecError
from batchimg_magics.session.session import Session
from batchimg_magics.ui.cli import main
from batchimg_magics.ui.line_parser import parse_line
from batchimg_magics.verbs import renamed
from batchimg_magics.verbs.registry import VERB_NAMES, all_verbs, load_verb

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def session() -> Iterator[Session]:
    with Session() as session:
        yield session


@pytest.mark.parametrize(("old", "new"), renamed.VERBS.items())
def test_an_old_verb(old: str, new: str) -> None:
    with pytest.raises(SpecError, match=f"^{old} was renamed to {new}$"):
        parse_line([old, "genomics"])


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("vms --connect prep-vm", "vms --connect was renamed to --login"),
        ("create g --through batch", "create --through was renamed to --api"),
        ("connect --world=w.db", "connect --world was renamed to --state"),
        ("pools --world w.db", "pools has no option --world"),
    ],
)
def test_an_old_option(line: str, text: str) -> None:
    with pytest.raises(SpecError, match=f"^{text}$"):
        parse_line(line.split())


@pytest.mark.parametrize(("old", "new"), renamed.METHODS.items())
def test_an_old_method(session: Session, old: str, new: str) -> None:
    with pytest.raises(AttributeError, match=f"^Session.{old} was renamed to Session.{new}$"):
        getattr(session, old)


def test_an_old_keyword(session: Session) -> None:
    with pytest.raises(SpecError, match=r"^vms: connect was renamed to login$"):
        session.vms(connect="prep-vm")


def test_the_old_variable(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BATCHIMG_STATE", raising=False)
    monkeypatch.setenv("BATCHIMG_WORLD", ":memory:")
    with pytest.raises(SpecError, match=r"^BATCHIMG_WORLD was renamed to BATCHIMG_STATE$"):
        session.vms()


def test_new_names_exist() -> None:
    flags = {option.flag for verb in all_verbs() for option in verb.options}
    assert set(renamed.OPTIONS.values()) <= flags
    assert set(renamed.VERBS.values()) <= {*VERB_NAMES, "emulator"}


def test_the_command_line_lists_the_emulator(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["-h"]) == 0
    assert "  emulator [options] " in capsys.readouterr().out
    assert main(["sim"]) == 2
    assert "sim was renamed to emulator" in capsys.readouterr().err


@pytest.mark.parametrize("name", VERB_NAMES)
def test_a_verb_has_its_own_module_and_help_fits_a_line(name: str) -> None:
    verb = load_verb(name)
    assert verb.name == name
    assert len(verb.summary) <= 100
    assert all(len(option.help) <= 112 for option in verb.options)
