"""A SAS token of a blob is kept nowhere: no output, tag, log, history file, message or line has it."""

from __future__ import annotations

import json
import logging
import traceback
from typing import TYPE_CHECKING, Any

import pytest

from batchimg_magics.errors import BatchImgError, DetachedError, SpecError
from batchimg_magics.masking import mask_tokens
from batchimg_magics.pool_spec.pool import PoolSpec
from batchimg_magics.session.session import Session
from tests.support.connections import wrapped_session
from tests.support.crash import CrashTransport
from tests.support.prepared_vms import new_state_file
from tests.support.shells import ipython

if TYPE_CHECKING:
    from pathlib import Path

SECRET = "S3cr3tSignature"  # noqa: S105 - what the tests look for
PLAIN = "https://labstore.blob.core.windows.net/vhds/system.vhd"
URL = f"{PLAIN}?sv=2024-11-04&se=2026-08-01&sr=b&sp=r&sig={SECRET}%3D"
LINE = {
    "from_vhd": URL, "os_type": "Linux", "generation": "V1", "generalized": True, "vm_size": "Standard_D4s_v3",
    "node_agent_sku": "batch.node.ubuntu 22.04",
}  # fmt: skip


class Sent(CrashTransport):
    """A transport that keeps what is sent and what is answered."""

    heard: list[str]

    async def send(self, request: Any, **kwargs: Any) -> Any:
        answer = await self.inner.send(request, **kwargs)
        body = getattr(request, "content", None) or getattr(request, "body", None)
        said = answer.text() if hasattr(answer, "text") else answer.body()
        self.log.append(f"{request.url} {body!r} {said!r}")
        return answer


def test_nothing_that_is_sent_shown_or_kept_has_it(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    outside = new_state_file(tmp_path)
    with wrapped_session(Sent, state=str(outside.path), speed="max") as (session, line):
        frames = [session.plan("genomics", **LINE), session.create("genomics", nodes=1, **LINE), session.images()]
        work = session.begin("create", name="genomics", nodes=1, **LINE)
        said = [work.resume_line, work.label, repr(work.result()), *(f"{one.to_csv()}{one.attrs}" for one in frames)]
    everything = [
        *said,
        *line.log,
        caplog.text,
        *(one.read_bytes().decode("latin-1") for one in tmp_path.rglob("*") if one.is_file()),
    ]
    assert not [one for one in everything if SECRET in one]
    assert f"--from-vhd {PLAIN}" in work.resume_line
    assert any(PLAIN in one for one in line.log)


@pytest.mark.parametrize(
    "options",
    [
        {"from_vhd": f"https://example.com/a.vhd?sig={SECRET}"},
        {"from_vhd": f"{URL}&snapshot=2026-01-01"},
        {"from_vhd": f"https://[{SECRET}/a.vhd?sig={SECRET}"},
        {"from_vhd": URL, "from_vm": "a"},
        {"from_vhd": URL},
        {"from_image": URL},
        {"from_vm": "a", "vm_size": URL},
        {"from_vm": "a", "start_task": f"curl {URL}", "nodes": "many"},
    ],
)
def test_no_message_has_it(session: Session, options: dict[str, Any]) -> None:
    with pytest.raises(BatchImgError) as caught:
        session.create("genomics", **{"vm_size": "Standard_D4s_v3", **options})
    said = "".join(traceback.format_exception(caught.value))
    shown = "".join(caught.value._render_traceback_())
    assert f"sig={SECRET}" not in shown
    if "[" not in str(options.get("from_vhd")):  # what is no host at all is not known for a secret
        assert SECRET not in shown
    assert f"sig={SECRET}" not in said


def test_no_spec_has_it() -> None:
    spec = PoolSpec.build("genomics", **LINE)
    assert SECRET not in f"{spec!r} {spec} {spec.model_dump_json()}"
    assert spec.from_vhd == PLAIN


def test_a_body_of_a_cell_keeps_it_to_itself() -> None:
    body = "\n".join(f"{key}: {json.dumps(value)}" for key, value in LINE.items())
    with ipython() as shell:
        failed = shell.run_cell(f"%%batchimg create genomics\n{body}\nnodez: 3").error_in_exec
        assert isinstance(failed, SpecError)
        assert SECRET not in "".join(failed._render_traceback_())


def test_the_line_to_continue_after_an_interrupt_has_no_token() -> None:
    with Session() as session:
        session.connect()
        work = session.begin("create", name="genomics", nodes=1, **LINE)
        work.interrupt()
        with pytest.raises(DetachedError) as caught:
            work.result()
        assert SECRET not in f"{caught.value.message} {caught.value.hint}"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (URL, PLAIN),
        (f"a '{URL}' b", f"a '{PLAIN}' b"),
        (f"sv=1&sig={SECRET}&x=1", "sv=1&sig=***&x=1"),
        ("https://example.com/?design=1", "https://example.com/?design=1"),
    ],
)
def test_masking(text: str, shown: str) -> None:
    assert mask_tokens(text) == shown
    assert BatchImgError(text, hint=text).hint == shown
