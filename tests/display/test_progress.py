"""The progress display, and the one line that remains."""

from __future__ import annotations

import contextlib
import io
import itertools
import re
import sys
import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Self

import nbformat
import pytest
from IPython.utils.capture import capture_output
from nbclient import NotebookClient

from batchimg_magics.connection import connection
from batchimg_magics.core.base.durations import format_duration
from batchimg_magics.core.base.progress import Activity, Board, PlannedStep, Progress
from batchimg_magics.display.progress import NoProgress, NotebookProgress, TerminalProgress, progress_text, steps_html
from batchimg_magics.errors import DetachedError, NotFoundError
from batchimg_magics.session import session as session_module
from batchimg_magics.session.foreground import run_with_progress, wait_with_progress
from batchimg_magics.session.work import VerbRun
from tests.support.create_options import CREATE_OPTIONS
from tests.support.shells import ipython

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

    from batchimg_magics.session.session import Session


def board() -> Board:
    now = [100.0]
    made = Board(lambda: now[0])
    made.begin("snapshot", expected_s=1)
    made.end("snapshot")
    made.begin("image version <b>", expected_s=438)
    made.begin("nodes", total=25)
    made.update("nodes", done=5, detail="5 idle, 20 starting")
    now[0] += 219
    return made


def progress(label: str = "create genomics", seconds: float = 0.0) -> Progress:
    shown = board().progress(label)
    return replace(shown, now=shown.now + seconds, elapsed_s=shown.elapsed_s + seconds)


class Terminal(io.StringIO):
    """A terminal, as far as rich asks."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("LINES", "30")
    monkeypatch.delenv("NO_COLOR", raising=False)
    return Terminal()


def test_a_terminal_has_a_line_for_each_step_and_keeps_the_final_one(terminal: Terminal) -> None:
    screen = TerminalProgress(terminal)
    screen.show(progress())
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", terminal.getvalue())
    assert "create genomics · 1 step done · 3 min 39 s" in text
    assert "image version <b>" in text
    assert "━━━━━" in text
    assert "3 min 39 s of about 7 min 18 s" in text
    assert "5 of 25 · 3 min 39 s · 5 idle, 20 starting" in text
    screen.close("create genomics: done")
    assert terminal.getvalue().endswith("create genomics: done\n")
    assert terminal.getvalue().rindex("\x1b[?25h") > terminal.getvalue().rindex("\x1b[?25l")  # the cursor is back


def test_a_terminal_without_colour_or_room_has_neither_colours_nor_bars(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "40")
    TerminalProgress(terminal).show(progress())
    assert "━" not in terminal.getvalue()
    assert not re.search(r"\x1b\[[0-9;]*3[0-9]", terminal.getvalue())
    lines = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", terminal.getvalue()).splitlines()
    assert max(map(len, lines)) <= 40


def test_control_characters_of_the_service_never_reach_a_terminal(terminal: Terminal) -> None:
    evil = Progress("create g", (Activity("no\x1b[2J\x07de\u202e", 0.0, detail="\x1b]0;x\x07\r"),), 5.0, 5.0)
    screen = TerminalProgress(terminal)
    screen.show(evil)
    screen.close("g\x1b[2J: done")
    assert not any(one in terminal.getvalue() for one in ("\x1b[2J", "\x07", "\u202e", "\x1b]0"))


def test_the_first_sign_of_life_comes_before_the_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before anything is imported or opened, which may take seconds."""
    order: list[str] = []

    class Watching(NoProgress):
        def show(self, progress: Progress) -> None:
            order.append(progress_text(progress))

    opened = connection.open_connection

    def open_connection(*args: Any, **options: Any) -> Any:
        order.append("opened")
        return opened(*args, **options)

    monkeypatch.setattr(connection, "open_connection", open_connection)
    with session_module.Session() as new:
        run_with_progress(new, "vms", {}, Watching())
        assert order[:2] == ["vms: connecting ...", "opened"]
        order.clear()
        run_with_progress(new, "create", {"name": "g", **CREATE_OPTIONS}, Watching())
        assert order[0] == "create g: checking ..."


def test_a_notebook_has_bars_in_one_output_and_escapes() -> None:
    screen = NotebookProgress(lambda: "14:03:22")
    with ipython(), capture_output() as captured:
        screen.show(progress("create <i>"))
        screen.show(progress("create <i>", 1.0))
        screen.close("create <i>: done")
    first, second, last = captured.outputs
    assert "5 of 25" in first.data["text/html"]
    assert "width:50%" in first.data["text/html"]
    assert "create &lt;i&gt; · 1 step done · 3 min 39 s" in first.data["text/html"]
    assert all("as of 14:03:22" in text for text in first.data.values())  # a kernel that dies leaves this in a notebook
    assert "image version &lt;b&gt;" in first.data["text/html"]
    assert "3 min 39 s of about 7 min 18 s" in first.data["text/plain"]
    assert last.data["text/html"] == "<div>create &lt;i&gt;: done</div>"
    assert {output.transient["display_id"] for output in (second, last)} == {first.transient["display_id"]}


def test_a_verb_without_steps_leaves_nothing(session: Session) -> None:
    with ipython(), capture_output() as captured:
        wait_with_progress(session.begin("vms"), NotebookProgress())
    assert captured.outputs == []
    stream = io.StringIO()
    wait_with_progress(session.begin("vms"), TerminalProgress(stream))
    assert stream.getvalue().strip() in ("", "vms")


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0.4, "0 s"),
        (59.6, "1 min 00 s"),
        (438, "7 min 18 s"),
        (3599.6, "1 h 00 min"),
        (3660, "1 h 01 min"),
        (86_380, "1 d 00 h"),
        (1618 * 60, "1 d 03 h"),
        (-1, "0 s"),
    ],
)
def test_durations(seconds: float, said: str) -> None:
    assert format_duration(seconds) == said


def test_what_takes_longer_than_usual_says_so_and_has_no_share() -> None:
    late = Progress("create g", (Activity("image version", 0.0, expected_s=438),), 4000.0, 4000.0)
    assert "image version 1 h 07 min, longer than usual" in progress_text(late)
    assert "of about" not in progress_text(late)
    assert "repeating-linear-gradient" in steps_html(late)
    assert "%;background:var" not in steps_html(late)


def test_a_plan_tells_the_step_and_the_time_of_the_whole() -> None:
    now = [100.0]
    made = Board(lambda: now[0])
    made.plan(
        [PlannedStep("left", 60.0), PlannedStep("right", 30.0), PlannedStep("nodes", 300.0, ("left", "right"))],
        is_whole=True,
    )
    made.start()
    made.begin("left", expected_s=60.0)
    made.begin("right", expected_s=30.0)
    now[0] += 20
    made.end("right")
    assert progress_text(made.progress("create g")).startswith("create g · step 2 of 3 · 20 s of about 6 min 00 s")
    now[0] += 20
    made.end("left")  # sooner than usual
    made.begin("nodes", expected_s=300.0)
    made.begin("resize g", total=4)
    made.plan([PlannedStep("resize g", 70.0)])  # a part of a planned step
    assert progress_text(made.progress("create g")).startswith("create g · step 3 of 3 · 40 s of about 5 min 40 s")
    now[0] += 400
    text = progress_text(made.progress("create g"))
    assert text.startswith(
        "create g · step 3 of 3 · 7 min 20 s · longer than usual: nodes 6 min 40 s, longer than usual"
    )
    made.end("resize g")
    made.end("nodes")
    assert made.finish() == 440.0
    now[0] += 1000
    assert made.finish() == made.elapsed_s() == made.progress("create g").elapsed_s == 440.0


def test_following_leaves_one_line(session: Session) -> None:
    stream = io.StringIO()
    table = wait_with_progress(session.begin("create", name="genomics", **CREATE_OPTIONS), TerminalProgress(stream))
    assert table.verb == "create"
    assert stream.getvalue().rstrip().splitlines()[-1].startswith("create genomics: done · ")
    with pytest.raises(NotFoundError):
        wait_with_progress(session.begin("resize", name="nope", nodes=1), TerminalProgress(stream))
    assert "resize nope: failed" in stream.getvalue()


def test_an_executed_notebook_keeps_one_final_line() -> None:
    notebook = nbformat.v4.new_notebook()
    create = "%batchimg create g --from-vm prep-vm --vm-size Standard_D4s_v5 --nodes 1"
    notebook.cells = [nbformat.v4.new_code_cell(source) for source in ("%load_ext batchimg_magics", f"{create};")]
    NotebookClient(notebook, timeout=60).execute()
    (output,) = notebook.cells[1].outputs
    assert output["data"]["text/plain"].startswith("create g: done · ")
    assert output["data"]["text/html"].startswith("<div>create g: done · ")


#: Lines during which the loop is held: one call of `VerbRun.wait` has about as many.
HELD_LINES = 6


class CtrlC:
    """Presses Ctrl-C before the nth line of Python that runs inside `Work.wait`, whosever line it is.

    The loop of the session is held until then, or for the first lines: otherwise the verb may end before them.
    """

    def __init__(self, nth: int, session: Session) -> None:
        self.left = nth
        self.depth = 0
        self._session = session
        self._lines = 0
        self._held = threading.Event()

    def __enter__(self) -> Self:
        async def hold(_: object) -> None:
            self._held.wait()

        self._session.submit(hold)
        sys.settrace(self.calls)
        return self

    def __exit__(self, *_: object) -> None:
        sys.settrace(None)
        self._held.set()

    def calls(self, frame: FrameType, _event: str, _arg: object) -> Callable[..., Any] | None:
        inside = self.depth or frame.f_code is VerbRun.wait.__code__
        if not inside or self.left <= 0:
            return None
        self.depth += 1
        return self.lines

    def lines(self, _frame: FrameType, event: str, _arg: object) -> Callable[..., Any] | None:
        if event == "return":
            self.depth -= 1
        elif event == "line":
            self.left -= 1
            self._lines += 1
            if self.left == 0 or self._lines == HELD_LINES:
                self._held.set()
            if self.left == 0:
                sys.settrace(None)
                raise KeyboardInterrupt
        return self.lines


def test_ctrl_c_at_any_moment_of_waiting_leaves_nothing_broken(session: Session) -> None:
    pressed = 0
    for nth in itertools.count(1):
        with CtrlC(nth, session) as keyboard, contextlib.suppress(DetachedError):
            wait_with_progress(session.begin("pools"), TerminalProgress(io.StringIO()))
        if keyboard.left > 0:
            break
        pressed += 1
        assert wait_with_progress(session.begin("pools"), TerminalProgress(io.StringIO())).verb == "pools"
    assert pressed >= HELD_LINES
