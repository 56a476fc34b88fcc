"""Signing in by a person: device codes in a terminal and a notebook, and a browser, with a served emulator."""

from __future__ import annotations

import datetime as dt
import json
import re
import ssl
import threading
import urllib.error
import urllib.parse
import urllib.request
from typing import TYPE_CHECKING, Any

import pytest
from azure.identity import CredentialUnavailableError

from batchimg_magics import Session
from batchimg_magics.connection.sign_in import SignInPrompt
from batchimg_magics.emulator.emulator import open_emulator
from batchimg_magics.emulator.http.tokens import TENANT, USER
from batchimg_magics.errors import AuthenticationError
from batchimg_magics.session.session import Session as PlainSession
from batchimg_magics.ui.sign_in import prompt_html
from tests.support.azure_sessions import TARGET
from tests.support.served_emulator import serve_emulator
from tests.support.shells import ipython, run_cell

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGE = re.compile(r"open (?P<page>\S+) and enter the code (?P<code>\w+)")


@pytest.fixture(scope="module")
def shell() -> Iterator[dict[str, str]]:
    local = open_emulator(speed=1.0)
    with serve_emulator(local) as environment:
        yield environment
    local.close()


@pytest.fixture
def target(shell: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", shell["REQUESTS_CA_BUNDLE"])
    return {**TARGET, "cloud": shell["AZURE_RESOURCE_MANAGER"]}


def send(shell: dict[str, str], url: str, form: dict[str, str] | None = None) -> bytes:
    trusted = ssl.create_default_context(cafile=shell["REQUESTS_CA_BUNDLE"])
    body = None if form is None else urllib.parse.urlencode(form).encode()
    with urllib.request.urlopen(url, body, context=trusted, timeout=10) as answer:  # noqa: S310 - of the test
        return bytes(answer.read())


def enter(shell: dict[str, str], shown: str) -> str:
    """Do what a person does who reads this; return the code."""
    found = PAGE.search(shown)
    assert found is not None, shown
    assert b"<form" in send(shell, f"{found['page']}?otc={found['code']}")
    assert b"You have signed in" in send(shell, found["page"], {"otc": found["code"].lower()})
    return found["code"]


def test_a_device_code_is_shown_in_plain_python_and_signs_in_once_for_all_services(
    shell: dict[str, str], target: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    class Person(PlainSession):
        codes: list[str] = []  # noqa: RUF012 - of one test

        def show_sign_in(self, prompt: SignInPrompt) -> None:
            super().show_sign_in(prompt)
            self.codes.append(enter(shell, capsys.readouterr().err))

    with Person() as session:
        frame = session.connect(**target, sign_in="device-code", save_as="served")
        session.images()
        session.call(lambda azure: azure.get("/pools?api-version=2025-06-01", plane="batch"))
        assert session.label == "LOCAL"
        rows, _ = session.call(lambda azure: azure.prices.rows("armSkuName eq 'Standard_D2s_v3'", "eastus"))
        assert rows  # of the emulator, whose metadata names its price list
    assert len(Person.codes) == 1
    assert frame["signed_in_as"][0] == f"user {USER['upn']}"
    assert frame["connection"][0] == "local"
    assert frame["cloud"][0] == "BatchimgLocal"
    where = target["cloud"]
    assert frame.attrs["caption"].endswith(
        f"on the emulator at {where}: nothing is billed; signed in as user {USER['upn']}"
    )


def test_in_a_notebook_the_code_is_shown_in_the_cell(
    shell: dict[str, str], target: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[dict[str, Any]] = []
    words = " ".join(f"--{name.replace('_', '-')} {value}" for name, value in target.items())
    with ipython() as notebook:
        publish = notebook.display_pub.publish

        def note(data: dict[str, Any], *rest: Any, **options: Any) -> None:
            if "enter the code" in data.get("text/plain", ""):
                shown.append(data)
                enter(shell, data["text/plain"])
            publish(data, *rest, **options)

        monkeypatch.setattr(notebook.display_pub, "publish", note)
        frame = run_cell(notebook, f"%batchimg connect {words} --sign-in device-code")
    assert frame["signed_in_as"][0] == f"user {USER['upn']}"
    ((data),) = shown
    assert '<a href="https://localhost' in data["text/html"]


def test_what_the_service_says_is_escaped_in_html() -> None:
    moment = dt.datetime(2026, 7, 1, 9, 15, tzinfo=dt.UTC)
    html = prompt_html(SignInPrompt('javascript:alert("x")', "<b>A1", moment))
    assert "<a" not in html
    assert "&lt;b&gt;A1" in html
    assert "until 09:15 UTC" in html
    link = prompt_html(SignInPrompt('https://x.example/"><script>', "A1", moment))
    assert "<script>" not in link


def test_a_code_that_nobody_enters_and_one_that_is_wrong_are_refused(shell: dict[str, str]) -> None:
    where, form = f"{shell['AZURE_AUTHORITY_HOST']}/common", {"client_id": "me", "scope": "openid"}
    flow = json.loads(send(shell, f"{where}/oauth2/v2.0/devicecode", form))
    asked = {"grant_type": "urn:ietf:params:oauth:grant-type:device_code", **form}
    with pytest.raises(urllib.error.HTTPError, match="400") as pending:
        send(shell, f"{where}/oauth2/v2.0/token", {**asked, "device_code": flow["device_code"]})
    assert json.loads(pending.value.read())["error"] == "authorization_pending"
    with pytest.raises(urllib.error.HTTPError, match="400"):
        send(shell, f"{where}/oauth2/deviceauth", {"otc": "WRONG"})
    for code, client in (("unknown", "me"), (flow["device_code"], "somebody else")):
        with pytest.raises(urllib.error.HTTPError, match="400") as wrong:
            send(shell, f"{where}/oauth2/v2.0/token", {**asked, "device_code": code, "client_id": client})
        assert json.loads(wrong.value.read())["error"] == "bad_verification_code"


def test_a_browser_signs_in(shell: dict[str, str], target: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    def open_browser(url: str) -> bool:
        """Do what a browser does: send the form of the page to where it leads."""
        page = send(shell, url).decode()
        fields = dict(re.findall(r'name="(\w+)" value="([^"]*)"', page))
        (action,) = re.findall(r'action="([^"]*)"', page)
        urllib.request.urlopen(action, urllib.parse.urlencode(fields).encode(), timeout=10).close()  # noqa: S310 - as above
        return True

    def open_later(url: str) -> bool:
        threading.Thread(target=open_browser, args=(url,), daemon=True).start()
        return True

    monkeypatch.setattr("webbrowser.open", open_later)
    with Session() as session:
        frame = session.connect(**target, sign_in="browser", tenant=TENANT)
    assert frame["signed_in_as"][0] == f"user {USER['upn']}"
    assert frame["tenant"][0] == TENANT


def test_without_a_browser_the_device_code_is_advised(target: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise CredentialUnavailableError("Failed to open a browser")

    monkeypatch.setattr("azure.identity.InteractiveBrowserCredential.get_token", fail)
    with Session() as session, pytest.raises(AuthenticationError, match="browser") as refused:
        session.connect(**target, sign_in="browser")
    assert 'sign_in="device-code"' in refused.value.hint
