"""Which work a line joins, which it is refused beside, and the lines that are printed for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from batchimg_magics import ConflictError, Session
from batchimg_magics.pool_spec.line import escape_braces, format_line, unescape_braces
from batchimg_magics.session.python_words import in_python_words
from batchimg_magics.ui import cli
from batchimg_magics.ui.expansion import expand_words
from batchimg_magics.ui.line_words import split_line

if TYPE_CHECKING:
    from collections.abc import Iterator

VARIABLES = {"name": "a value", "HOME": "a value", "x": "a value"}


@pytest.fixture
def session() -> Iterator[Session]:
    with Session() as opened:
        opened.connect(state=":memory:", speed="max")  # time stands still: what is started goes on
        yield opened


def test_work_is_joined_by_its_line_and_its_body(session: Session) -> None:
    origin = {"from_vm": "prep-vm", "vm_size": "Standard_D4s_v5"}
    first = session.begin("create", name="p", spec="nodes: 1\n", **origin)
    assert session.begin("create", name="p", spec="nodes: 1", **origin) is first
    with pytest.raises(ConflictError, match=r"`%%batchimg create p .* is still running with another body") as caught:
        session.begin("create", name="p", spec="nodes: 2\n", **origin)
    assert "the same command with the same body joins it" in caught.value.hint
    with pytest.raises(ConflictError, match="with another body"):
        session.begin("create", name="p", spec={"nodes": 1}, **origin)
    # What only reads is no conflict, but other work.
    plan = session.begin("plan", name="p", spec="nodes: 1", **origin)
    assert session.begin("plan", name="p", spec="nodes: 2", **origin) is not plan


def test_all_pools_of_a_pattern_are_busy(session: Session) -> None:
    session.begin("create", name="two-b", from_vm="prep-vm", vm_size="Standard_D4s_v5", nodes=1)
    for name in ("TWO-B", "two-*", "*"):
        with pytest.raises(ConflictError, match=r"`%batchimg create two-b .*` is still running"):
            session.begin("resize", name=name, nodes=1)
    assert session.find_running("Two-B") is not None
    assert session.find_running("two") is None
    session.begin("resize", name="three-*", nodes=1)


@given(st.text("{}$'\" ax:", max_size=14))
@example("awk '{print $1}' }} {{ x {")
@example("it's {name} and ${HOME} }")
def test_a_printed_line_can_be_pasted(text: str) -> None:
    line = format_line("create", {"name": "p", "start_task": f"echo {text} {{x}}", "formula": "}{x}"})
    words = expand_words(split_line(line.removeprefix("%batchimg ")).words, VARIABLES, {"--start-task"})
    assert words == ["create", "p", "--start-task", f"echo {text} {{x}}", "--formula", "}{x}"]
    assert unescape_braces(escape_braces(text)) == text


def test_a_line_for_python_or_a_shell_has_single_braces() -> None:
    line = format_line("create", {"name": "p", "start_task": "echo {name}"})
    assert line == "%batchimg create p --start-task 'echo {{name}}'"
    assert in_python_words(f"resume with `{line}`") == 'resume with `session.create("p", start_task="echo {name}")`'
    text = cli._for_command_line(f"`{line}`, or {{{{x}}}}")  # noqa: SLF001 - what it prints of every text
    assert text == "`batchimg create p --start-task 'echo {name}'`, or {{x}}"
