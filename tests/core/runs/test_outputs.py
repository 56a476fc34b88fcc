"""`logs --run`: what the rows of a run printed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd
import pytest

from batchimg_magics.errors import NotFoundError, SpecError

if TYPE_CHECKING:
    from batchimg_magics.session.session import Session

TABLE = pd.DataFrame({"word": ["good", "b<a>d", "fine"], "code": [0, 3, 0]})


def test_what_the_rows_printed_is_a_table(session: Session) -> None:
    session.create("p", from_vm="prep-vm", vm_size="Standard_D2s_v5", nodes=1)
    run = session.run("p", over=TABLE, command="echo {word} && exit {code}").attrs["run"]
    failed = session.logs(run=run)
    assert list(failed.row) == [1, 1]
    assert list(failed.file) == ["stderr.txt", "stdout.txt"]
    assert list(failed.exit_code) == [3, 3]
    assert "b<a>d" in failed.text[1]
    assert "1 failed" in failed.attrs["caption"]
    one = session.logs(run=run.removeprefix("run-")[:4], row=2, lines=1)
    assert set(one.row) == {2}
    with pytest.raises(NotFoundError, match="has no row 3") as caught:
        session.logs(run=run, row=3)
    assert "end with 2" in caught.value.hint
    with pytest.raises(SpecError, match="--run names the tasks"):
        session.logs("p", run=run)
    with pytest.raises(SpecError, match="--row is of a run"):
        session.logs("p", row=3)
    session.resize("p", nodes=0, yes=True)
    gone = session.logs(run=run)
    assert gone.error.notna().all() or gone.text.notna().any()


def test_a_pilot_tells_what_is_left_and_how_long_it_takes(session: Session) -> None:
    session.create("p", from_vm="prep-vm", vm_size="Standard_D2s_v5", nodes=1)
    table = pd.DataFrame({"number": range(40)})
    line = {"over": table, "command": "sleep 120 && echo {number}"}
    run = session.run("p", limit=2, **line).attrs["run"]
    found = session.estimate(from_run=run, deadline="2h", slots=1)
    assert "38 tasks of 2" in found.attrs["caption"]
    assert found.attrs["run"] == run
    assert "500 tasks of 2" in session.estimate(from_run=run, tasks=500, deadline="4h", slots=1).attrs["caption"]
    with pytest.raises(SpecError, match="--minutes are those of the run"):
        session.estimate(from_run=run, minutes=3, deadline="2h")
    with pytest.raises(SpecError, match="is not the name of a run"):
        session.estimate(from_run="run-none", deadline="2h")
