"""What a `Session` raises and returns is in Python's words, and says what to do in the traceback."""

from __future__ import annotations

import copy
import pickle
import re
import subprocess
import sys
import traceback
from typing import TYPE_CHECKING, Any

import pytest
from IPython.core.interactiveshell import InteractiveShell

from batchimg_magics import NotFoundError, ResizeError, Session, SpecError
from batchimg_magics.errors import BatchImgError, ProvisioningError, WaitTimeoutError
from batchimg_magics.session.python_words import in_python_words
from batchimg_magics.verbs.registry import all_verbs
from tests.support.shells import ipython

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def session() -> Iterator[Session]:
    with Session() as opened:
        opened.connect(state=":memory:", speed="max")
        yield opened


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "`%batchimg pools` lists the pools; `%batchimg create` creates one",
            "`session.pools()` lists the pools; `session.create(...)` creates one",
        ),
        ("`%batchimg vms`, `images` and more", "`session.vms()`, `session.images()` and more"),
        ("`%batchimg create x --nodes 5`", '`session.create("x", nodes=5)`'),
        ("`%%batchimg create x`, in a cell with mounts in its body", '`session.create("x")` with mounts in its body'),
        (
            "`%batchimg create x --tags a=1 --tags b=2 --no-canary --data-snapshot 0=/id --accept c`",
            '`session.create("x", tags={"a": "1", "b": "2"}, canary=False, data_snapshots={0: "/id"}, accept=["c"])`',
        ),
        ("`%batchimg nodes a b --where \"state == 'idle'\"`", '`session.nodes(["a", "b"], where="state == \'idle\'")`'),
        ("`%batchimg create x --spec f.yaml`", '`session.create("x", spec=Path("f.yaml").read_text())`'),
        ("`%batchimg connect ... --sign-in cli`", '`session.connect(..., sign_in="cli")`'),
        ('`%batchimg connect` with --tag A=1 --tag "B=x y"', '`session.connect()` with tag={"A": "1", "B": "x y"}'),
        ("then %batchimg create POOL --vm-size SIZE; more", 'then session.create("POOL", vm_size="SIZE"); more'),
        ("specify --vm-size, or `vm_size:` in the body", "specify vm_size="),
        ("specify --from-vm (`from_vm:` in a body), or --from-vhd", "specify from_vm=, or from_vhd="),
        ("add --nodes N, --spot N or both", "add nodes=N, spot=N or both"),
        ("such as: --nodes 0 --spot 20 --fallback-dedicated 5", "such as: nodes=0, spot=20, fallback_dedicated=5"),
        ("--max-cost is $3; increase --max-cost", "max_cost is $3; increase max_cost="),
        ("--subscription, --account missing", "subscription, account missing"),
        ("give --os-type Linux or --os-type Windows", 'give os_type="Linux" or os_type="Windows"'),
        ("add --yes to do it; or leave out --capture", "add yes=True to do it; or leave out capture="),
        ("--timeout 20m, or omit it", 'timeout="20m", or omit it'),
        ("start it: az vm start --ids /x; then", "start it: az vm start --ids /x; then"),
        ("`az x --role r --scope /s` with --tenant t1", '`az x --role r --scope /s` with tenant="t1"'),
        ("nothing to say -- at all", "nothing to say -- at all"),
        ("column `state`", "column `state`"),
        ("`%batchimg no such verb`", "`%batchimg no such verb`"),
    ],
)  # fmt: skip
def test_commands_and_options_become_calls_and_keywords(text: str, said: str) -> None:
    assert in_python_words(text, "create") == said
    assert in_python_words(said, "create") == said, "what is Python's stays"


def test_every_example_of_the_verbs_is_a_call_that_python_reads() -> None:
    lines = [f"`%batchimg {example}`" for verb in all_verbs() for example in verb.examples if verb.name != "help"]
    for line in lines:
        said = in_python_words(line).strip("`")
        compile(said, line, "eval")
        assert "..." not in said.replace("(...)", "") or "..." in line, (line, said)
        assert "--" not in said
        assert said.startswith("session.")


def test_what_a_handle_says_is_a_call_of_the_handle() -> None:
    text = "`%batchimg resize p --nodes 0`, `%batchimg repair p`, `%batchimg resize q --nodes 1`, `%batchimg pools`"
    assert in_python_words(text, "resize", "p") == (
        '`pool.resize(nodes=0)`, `pool.repair()`, `session.resize("q", nodes=1)`, `session.pools()`'
    )


@pytest.mark.parametrize(
    ("call", "kind", "hint"),
    [
        (lambda s: s.create("x", from_vm="prepvm", vm_size="Standard_D4s_v5"), NotFoundError, "prep-vm"),
        (lambda s: s.create("x", vm_size="Standard_D4s_v5"), SpecError, "from_vm="),
        (lambda s: s.resize("x"), SpecError, "nodes=N, spot=N"),
        (lambda s: s.resize("x", nodes=1), NotFoundError, "`session.create(...)`"),
        (lambda s: s.create("x", vm_size="Standard_D4s_v5", from_vm="desk-vm", capture="in-place"), SpecError, "yes="),
        (lambda s: s.panel("x"), NotFoundError, "`session.create(...)`"),
    ],
)  # fmt: skip
def test_an_uncaught_error_says_what_to_do_beside_the_callers_line(
    session: Session, call: Any, kind: type[BatchImgError], hint: str
) -> None:
    with pytest.raises(kind) as caught:
        call(session)
    error = caught.value
    shown = "".join(traceback.format_exception(error))
    assert f"\nHint: {error.hint}" in shown
    assert hint in error.hint
    assert not re.search(r"(?<!\w)--[a-z]|%batchimg|in (a|the) body", shown.partition("Error: ")[2]), shown
    assert len(traceback.extract_tb(error.__traceback__)) <= 3  # this test, the lambda, and the method
    assert "/core/" not in shown


def test_the_checks_before_an_error_are_a_frame(session: Session) -> None:
    with pytest.raises(NotFoundError) as caught:
        session.create("genomics", from_vm="prepvm", vm_size="Standard_D4s_v5")
    frame = caught.value.frame
    assert list(frame.columns) == list(caught.value.table.columns)
    assert frame.attrs["caption"].startswith("LOCAL")
    assert caught.value.__notes__[-1] == "Until then: 1 row in the attribute `frame` of this error"
    again = copied(caught.value)
    assert (again.hint, again.code, again.__notes__) == (
        caught.value.hint,
        caught.value.code,
        caught.value.__notes__,
    )
    assert again.frame.equals(frame)


def copied(error: BatchImgError) -> Any:
    return pickle.loads(pickle.dumps(error))  # noqa: S301 - what this test has pickled


@pytest.mark.parametrize(
    "error",
    [
        ProvisioningError("it failed", resource_id="/x", state="Failed", hint="again"),
        ResizeError("too few", errors=[("A", "b")], target={"dedicated": 2}),
        WaitTimeoutError("too long", hint="wait"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_errors_arrive_whole_from_another_process(error: BatchImgError) -> None:
    for same in (copied(error), copy.copy(error)):
        assert type(same) is type(error)
        assert str(same) == str(error)
        assert vars(same) == vars(error)


def test_the_error_of_work_that_others_wait_for_is_not_changed(session: Session) -> None:
    with pytest.raises(NotFoundError) as caught:
        session.nodes("nope")
    original = caught.value.__context__
    assert isinstance(original, NotFoundError)
    assert original.hint.startswith("`%batchimg pools`")
    assert not hasattr(original, "__notes__")


def test_a_cell_shows_the_lines_of_the_user_and_a_magic_its_own_words(capsys: pytest.CaptureFixture[str]) -> None:
    with ipython(state=":memory:", speed="max") as shell:
        shell.run_cell("from batchimg_magics import Session\nsession = Session()\nsession.connect(state=':memory:')")
        shell.run_cell("def count(name):\n    return len(session.nodes(name))\ncount('nope')")
        said = capsys.readouterr().out
        assert "  -> `session.pools()` lists the pools; `session.create(...)` creates one\n" in said
        assert re.search(r"  at Cell In\[\d+\], line 3: count\('nope'\)\n", said)
        assert re.search(r"  at Cell In\[\d+\], line 2, in count: return len\(session.nodes\(name\)\)\n", said)
        shell.run_cell("%batchimg nodes nope")
        said = capsys.readouterr().out
        assert "  -> `%batchimg pools` lists the pools; `%batchimg create` creates one\n" in said
        assert "  at " not in said
        shell.run_cell("session.close()")


def test_a_script_shows_its_own_line() -> None:
    script = "from batchimg_magics import Session\ns = Session()\ns.connect(state=':memory:')\ns.delete('p')\n"
    done = subprocess.run([sys.executable, "-c", script], check=False, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.count('  File "') == 2, done.stderr
    assert 'File "<string>", line 4, in <module>' in done.stderr
    assert done.stderr.splitlines()[-1].startswith("Hint: ")


def test_a_frame_of_a_session_is_shown_as_that_of_a_magic(session: Session) -> None:
    session.connect(state=":memory:", speed="max")
    with ipython(state=":memory:", speed="max") as shell:
        magic = shell.run_cell("%batchimg vms").result
        frame = session.vms()
        shown = [InteractiveShell.instance().display_formatter.format(one) for one in (frame, magic)]
        for data, _ in shown:
            assert data.pop("application/vnd.batchimg+json")["verb"] == "vms"  # each has the record of its own run
        assert shown[0] == shown[1]
    assert frame.attrs == magic.attrs
    assert frame.attrs["caption"].startswith("LOCAL · ")
    started = session.create("later", from_vm="prep-vm", vm_size="Standard_D4s_v5", wait=False)
    assert '`session.create("later", from_vm="prep-vm", vm_size="Standard_D4s_v5")` waits' in started.attrs["caption"]
    session.create("later", from_vm="prep-vm", vm_size="Standard_D4s_v5")
    checked = session.check("later", all=True)
    assert not checked.fix.str.contains(r"(?:^|\s)--(?!ids|subscription|gallery|resource)|%batchimg").any()
