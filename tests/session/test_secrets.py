"""What the service says may have secrets in it: no table, file, line, error or panel shows them."""

from __future__ import annotations

import json
import traceback
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from batchimg_magics import Session
from batchimg_magics.errors import BatchImgError
from batchimg_magics.pool_spec.pool import PoolSpec
from batchimg_magics.ui.cli import main
from batchimg_magics.ui.panel.panel import Panel
from tests.support.faults import set_faults, set_scenario
from tests.support.forwarding_transport import ForwardingTransport
from tests.support.shells import ipython, run_cell

if TYPE_CHECKING:
    from pathlib import Path

SECRET = "S3cr3tV4lu3xyz"  # noqa: S105 - what the tests look for
LEAKS = (
    f"https://lab.blob.core.windows.net/c/b?sv=1&SIG={SECRET} AccountKey={SECRET}; Bearer {SECRET}abc "
    f"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.{SECRET} https%3A%2F%2Fa%2Fb%3Fsig%3D{SECRET}"
)
CREATE = {"from_vm": "prep-vm", "vm_size": "Standard_D4s_v5", "nodes": 2}
SPEC = {
    "start_task": {
        "command_line": f"/bin/sh -c 'echo TOKEN={SECRET} && echo \"{LEAKS}\"'",
        "environment": {"HF_TOKEN": SECRET, "ADDRESS": f"https://a/b?sig={SECRET}"},
        "resource_files": [{"url": f"https://lab.blob.core.windows.net/c/b?sv=1&sig={SECRET}", "path": "b"}],
    },
    "metadata": {"note": f"see https://a/b?sig={SECRET}"},
}


@dataclass
class Talkative(ForwardingTransport):
    """A service that puts secrets into every message, description and tag that it answers with."""

    async def send(self, request: Any, **kwargs: Any) -> Any:
        answer = await self.inner.send(request, **kwargs)
        if "json" in str(answer.content_type) and (body := answer.answer.body):
            spoiled = msgspec.json.encode(_spoiled(json.loads(body)))
            answer._answer = msgspec.structs.replace(answer.answer, body=spoiled)  # noqa: SLF001 - it is immutable
        return answer


def _spoiled(value: Any, key: str = "") -> Any:
    if isinstance(value, dict):
        spoiled = {name: _spoiled(one, name) for name, one in value.items()}
        if key == "tags":
            spoiled["note"] = LEAKS
        return spoiled
    if isinstance(value, list):
        return [_spoiled(one) for one in value]
    return f"{value}. {LEAKS}" if key in ("message", "description", "displayStatus", "stateReason") else value


@pytest.fixture(autouse=True)
def _secret_in_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_URL", f"https://lab.blob.core.windows.net/c/b?sv=1&sig={SECRET}")


def spec() -> dict[str, Any]:
    task = SPEC["start_task"] | {"resource_files": [{"url": "env:MY_URL", "path": "b"}]}  # type: ignore[operator]
    return SPEC | {"start_task": task}


def everything(frame: Any) -> str:
    return f"{frame.to_csv()}{frame.attrs}{frame.to_html()}{frame._repr_mimebundle_()}"


def test_no_table_caption_line_file_or_error_has_a_secret(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    shown: list[str] = []
    lines: list[str] = []
    with Session(wrap_transport=Talkative, progress=lambda event: lines.append(f"{event!r} {event}")) as session:
        session.connect(state=str(tmp_path / "world.db"), speed="max")
        session.create("genomics", spec=spec(), **CREATE)
        set_scenario(session, "bad-start-task")
        for verb, options in (
            ("plan", {"name": "genomics", "spec": spec(), **CREATE}), ("show", {"name": "genomics"}),
            ("pools", {}), ("nodes", {"name": "genomics"}), ("images", {}), ("vms", {}), ("history", {}),
            ("logs", {"name": "genomics"}), ("check", {"name": "genomics"}), ("status", {}), ("migrate", {}),
        ):  # fmt: skip
            frame = getattr(session, verb)(**options)
            shown.append(everything(frame))
        for status, code in ((400, "Bad"), (403, "AuthorizationFailed"), (409, "Conflict"), (500, "InternalError")):
            set_faults(session, status=status, code=code, message=f"see {LEAKS}", times=None, path="pools")
            with pytest.raises(BatchImgError) as caught:
                session.resize("genomics", nodes=3)
            error = caught.value
            shown.append(f"{error!r} {error.hint} {error.__dict__} {''.join(traceback.format_exception(error))}")
        set_faults(session)
        shown += [repr(session), repr(session.pool("genomics")), str(session.pool("genomics")._repr_mimebundle_())]
        panel = session.panel("genomics")
        assert isinstance(panel, Panel)
        shown += [panel.static_html(), panel.static_text(), str(panel.get_state())]
        panel.close()
    assert "echo" in "".join(shown)  # the start task is shown, without its secrets
    leaks = [
        one[max(0, one.index(SECRET) - 80) :][:100] for one in [*shown, *lines, *capfd.readouterr()] if SECRET in one
    ]
    assert not leaks
    for file in tmp_path.rglob("history*"):
        assert SECRET not in file.read_bytes().decode("latin-1")


def test_the_representation_of_a_spec_has_no_secret() -> None:
    body = SPEC | {"start_task": {**SPEC["start_task"], "resource_files": []}}  # type: ignore[dict-item]
    made = PoolSpec.build("genomics", body, from_vm="prep-vm", vm_size="Standard_D4s_v5")
    assert SECRET not in f"{made!r} {made} {made.start_task!r}"


def test_the_command_line_and_a_notebook_show_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with ipython() as shell:
        body = json.dumps(spec())
        shell.run_cell(f"%%batchimg create genomics --from-vm prep-vm --vm-size Standard_D4s_v5 --nodes 1\n{body}")
        frame = run_cell(shell, "%batchimg show genomics")
        assert SECRET not in everything(frame)
    monkeypatch.setenv("BATCHIMG_STATE", str(tmp_path / "world.db"))
    (tmp_path / "pool.yaml").write_text(body)
    create = ["create", "genomics", "--from-vm", "prep-vm", "--vm-size", "Standard_D4s_v5", "--nodes", "1"]
    assert main([*create, "--spec", str(tmp_path / "pool.yaml")]) == 0
    for form in ("table", "json", "tsv"):
        assert main(["show", "genomics", "-o", form]) == 0
        assert main(["logs", "genomics", "-o", form]) == 0
    out, err = capsys.readouterr()
    assert "echo" in out
    assert SECRET not in out + err


def test_unexpected_errors_are_masked(monkeypatch: pytest.MonkeyPatch) -> None:
    from batchimg_magics.core.operations import pools

    def fail(*_: object, **__: object) -> None:
        raise ValueError(f"password={SECRET}") from KeyError(f"https://a/b?sig={SECRET}")

    with Session() as session:
        session.connect(state=":memory:", speed="max")
        monkeypatch.setattr(pools, "list_pools", fail)
        with pytest.raises(ValueError, match="password=") as caught:
            session.pools()
        assert SECRET not in "".join(traceback.format_exception(caught.value, limit=0))
