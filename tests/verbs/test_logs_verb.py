"""`logs` through Session: the output of start tasks, of nodes that work, fail, hang or are gone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from batchimg_magics import NotFoundError, ResizeError, Session, SpecError
from batchimg_magics.core.batch.node_files import as_text
from tests.support.faults import set_faults, set_scenario
from tests.support.request_log import RequestLog

if TYPE_CHECKING:
    from collections.abc import Iterator

LOUD = "/bin/sh -c 'echo started && seq 1 40000; echo https://x.blob.core.windows.net/c?sig=SECRET >&2'"


@pytest.fixture(scope="module")
def logs() -> list[RequestLog]:
    return []


@pytest.fixture(scope="module")
def session(logs: list[RequestLog]) -> Iterator[Session]:
    def wrap(inner: Any) -> Any:
        logs.append(RequestLog(inner))
        return logs[-1]

    with Session(wrap_transport=wrap) as opened:
        opened.connect(state=":memory:", speed="max")
        opened.create("loud", from_vm="prep-vm", vm_size="Standard_D4s_v5", nodes=2, start_task=LOUD)
        yield opened


def test_files_are_whole_or_their_end_and_say_so(session: Session, logs: list[RequestLog]) -> None:
    found = session.logs("loud")
    sizes = [int(one.headers["Content-Length"]) for one in logs[-1].requests if "/files/" in one.path]
    assert 64 * 1024 - 2 < max(sizes) <= 64 * 1024  # the rest of a long file is not sent
    assert found.attrs["caption"] == "LOCAL · logs of pool loud: 2 of 2 nodes"
    assert list(found["file"]) == ["startup/stderr.txt", "startup/stdout.txt"] * 2
    assert (found["text"][0], found["shown"][0], found["exit_code"][0]) == (
        "https://x.blob.core.windows.net/c\n",
        "all",
        0,
    )
    assert "SECRET" not in "".join(found["text"])
    assert found["shown"][1] == "last 64 KiB of 223.5 KiB"
    assert found["text"][1].splitlines()[-1] == "40000"
    assert len(found["text"][1]) <= 64 * 1024
    assert all(line.isdecimal() for line in found["text"][1].splitlines())
    assert found["modified"].notna().all()
    assert found["error"].isna().all()

    node = found["node_id"][0]
    whole = session.logs("loud", node[6:14])  # a part of its id
    assert set(whole["node_id"]) == {node}
    assert whole["shown"][1] == "all"
    assert whole["text"][1].startswith("started\n1\n2\n")
    few = session.logs("loud", node, lines=2, file="stdout.txt")
    assert (list(few["text"]), list(few["shown"])) == (["39999\n40000"], ["last 2 lines of 40001"])
    assert list(session.logs("loud", node, max_bytes="1KiB", file="*out.txt")["shown"]) == ["last 1 KiB of 223.5 KiB"]
    listed = session.logs("loud", node, files=True)
    assert listed["text"].isna().all()
    assert "startup/stdout.txt" in set(listed["file"])


def test_what_cannot_be_asked_for_is_refused_with_what_can(session: Session) -> None:
    with pytest.raises(NotFoundError, match="there is no node 'tvm-none' in pool 'loud'"):
        session.logs("loud", "tvm-none")
    with pytest.raises(NotFoundError, match="2 nodes of pool 'loud' match 'tvm'"):
        session.logs("loud", "tvm")
    with pytest.raises(NotFoundError, match="there is no pool 'quiet'"):
        session.logs("quiet")
    with pytest.raises(SpecError, match="max_bytes is 'much'"):
        session.logs("loud", max_bytes="much")
    with pytest.raises(SpecError, match="lines is 0"):
        session.logs("loud", lines=0)
    with pytest.raises(SpecError, match="limit has no effect with a node"):
        session.logs("loud", "tvm", limit=3)
    (reason,) = set(session.logs("loud", file="none.log")["error"])
    assert reason == "no file matches none.log; --list shows the files"


def test_a_node_that_refuses_or_is_gone_is_a_row(session: Session) -> None:
    nodes = sorted(session.nodes("loud")["node_id"])
    for code, status, told in (
        ("NodeNotReady", 409, "cannot serve its files"),
        ("NodeNotFound", 404, "its files are gone"),
        ("AuthorizationFailure", 403, "its files could not be read: AuthorizationFailure"),
    ):
        set_faults(session, method="GET", path=f"/nodes/{nodes[0]}/files", status=status, code=code, times=1)
        found = session.logs("loud").set_index("node_id")
        assert told in found.loc[[nodes[0]], "error"].iloc[0], code
        assert list(found.loc[[nodes[1]], "shown"]) == ["all", "last 64 KiB of 223.5 KiB"]
    set_faults(session, method="GET", path="stderr.txt", status=404, code="FileNotFound", times=1)
    assert "FileNotFound" in session.logs("loud", nodes[0])["error"][0]
    set_faults(session, method="GET", path=f"/nodes/{nodes[0]}/files", status=503, retry_after_s=600, times=9)
    assert "did not answer within 90 s" in session.logs("loud", nodes[0])["error"][0]
    set_faults(session)


def test_failed_nodes_come_first_with_their_reason(session: Session) -> None:
    session.create("mixed", from_vm="prep-vm", vm_size="Standard_D4s_v5", nodes=1)
    assert set(session.logs("mixed")["error"]) == {
        "the pool has no start task, so there is no output of one; --list shows the files of the node"
    }
    set_scenario(session, "bad-start-task")
    with pytest.raises(ResizeError, match="starttaskfailed"):
        session.create("failing", from_vm="prep-vm", vm_size="Standard_D4s_v5", nodes=1, start_task="tool --fast")
    set_scenario(session, "calm")
    found = session.logs("failing")
    assert (found["state"][0], found["exit_code"][0], found["file"][0]) == ("starttaskfailed", 1, "startup/stderr.txt")
    assert "tool: error" in found["text"][0]
    assert found.attrs["caption"].endswith("; 1 failed")


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"caf\xc3\xa9 \xff\n", "café \\xff\n"),
        (b"10%\r20%\r\ndone", "10%\n20%\ndone"),
        (b"\x1b[31mred\x07\ttab", "\\x1b[31mred\\x07\ttab"),
        ("a\u202eb".encode(), "a\\u202eb"),
        ("PowerShell\n".encode("utf-16"), "PowerShell\n"),
        ("PowerShell\n".encode("utf-16-le"), "PowerShell\n"),
        (b"\xef\xbb\xbfmark", "mark"),
    ],
)
def test_bytes_become_text_that_can_be_displayed(content: bytes, text: str) -> None:
    assert as_text(content) == text
