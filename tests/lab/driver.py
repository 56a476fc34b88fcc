"""JupyterLab on loopback and a headless Chromium on it, for tests and pictures."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
from typing import TYPE_CHECKING, Any
from urllib.error import URLError
from urllib.request import urlopen

import nbformat
from playwright.sync_api import expect, sync_playwright

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from playwright.sync_api import Locator, Page

#: What keeps Chromium from asking for anything that is not here.
FLAGS = [
    f"--{flag}"
    for flag in (
        "headless", "no-sandbox", "disable-gpu", "disable-quic", "no-first-run", "disable-background-networking",
        "disable-component-update", "disable-sync",
    )
]  # fmt: skip
_SETTINGS: dict[str, dict[str, Any]] = {
    "@jupyterlab/apputils-extension/notification": {
        "fetchNews": "false", "checkForUpdates": False, "doNotDisturbMode": True,
    },
    "@jupyterlab/notebook-extension/tracker": {"autoStartDefaultKernel": True, "windowingMode": "none"},
}  # fmt: skip


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def home_of(home: Path) -> dict[str, str]:
    """Return the environment of a user who lives in that folder: nobody else's settings, worlds or histories."""
    names = ("CONFIG_DIR", "DATA_DIR", "RUNTIME_DIR")
    env = {**os.environ, **{f"JUPYTER_{name}": str(home / name.lower()) for name in names}}
    env |= {f"JUPYTERLAB_{name}": str(home / name.lower()) for name in ("SETTINGS_DIR", "WORKSPACES_DIR")}
    env |= {f"XDG_{name}_HOME": str(home / name.lower()) for name in ("DATA", "CACHE", "CONFIG")}
    return env | {"IPYTHONDIR": str(home / "ipython")}


@contextlib.contextmanager
def server(root: Path, home: Path, application: str = "lab") -> Iterator[str]:
    """Run Jupyter on a folder and yield its address, with a token.

    Parameters
    ----------
    root, home
        The folder of notebooks, and that of its user.
    application
        ``lab`` or ``notebook``.
    """
    port, token, env = _free_port(), secrets.token_hex(16), home_of(home)
    for name, settings in _SETTINGS.items():
        file = home / "settings_dir" / f"{name}.jupyterlab-settings"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(settings), encoding="utf-8")
    command = [
        sys.executable, "-m", f"jupyter{application}" if application == "lab" else application, "--no-browser",
        "--allow-root", "--ServerApp.ip=127.0.0.1", f"--ServerApp.port={port}", "--ServerApp.port_retries=0",
        f"--IdentityProvider.token={token}", f"--ServerApp.root_dir={root}", "--LabApp.news_url=",
        "--LabApp.expose_app_in_browser=True", "--JupyterNotebookApp.expose_app_in_browser=True",
    ]  # fmt: skip
    with subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            _until_up(f"http://127.0.0.1:{port}/api/status?token={token}", process)
            yield f"http://127.0.0.1:{port}/{{path}}?token={token}"
        finally:
            process.terminate()


def _until_up(url: str, process: subprocess.Popen[bytes]) -> None:
    while True:
        try:
            urlopen(url, timeout=1).close()  # noqa: S310 - loopback
        except (URLError, OSError):
            if process.poll() is not None:
                raise RuntimeError("Jupyter did not start") from None
        else:
            return


@contextlib.contextmanager
def chromium(**context: Any) -> Iterator[Page]:
    """Open an empty page of a browser with an empty profile; options are Playwright's for a context."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
        yield browser.new_context(**context).new_page()
        browser.close()


def trust(path: Path, home: Path) -> None:
    """Let a user's Jupyter trust the outputs of a notebook."""
    subprocess.run([sys.executable, "-m", "jupyter", "trust", str(path)], env=home_of(home), check=True)


def write_notebook(path: Path, cells: Sequence[str]) -> None:
    """Write a notebook of code cells."""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    nbformat.write(notebook, path)


class Notebook:
    """A notebook that is open in a browser.

    Parameters
    ----------
    page, url, name
        The page; the server's address; the notebook's name.
    path
        Where the application shows notebooks.

    Attributes
    ----------
    outside
        Requests to other hosts, which are never let through.
    problems
        Errors that the browser's console showed.
    """

    def __init__(self, page: Page, url: str, name: str, path: str = "lab/tree") -> None:
        self.page = page
        self.outside: list[str] = []
        self.problems: list[str] = []
        here = url.partition("/{path}")[0]

        def route(asked: Any) -> None:
            if asked.request.url.startswith((here, "data:", "blob:")):
                asked.continue_()
            else:
                self.outside.append(asked.request.url)
                asked.abort()

        page.route("**/*", route)
        page.on("console", lambda said: said.type == "error" and self.problems.append(said.text))
        page.on("pageerror", lambda error: self.problems.append(str(error)))
        self._url = url.format(path=f"{path}/{name}") + "&reset"
        self.load()

    def load(self) -> None:
        """Load the page, and wait until its kernel is there."""
        self.page.goto(self._url)
        self.page.wait_for_selector(".jp-Notebook .jp-Cell", timeout=60_000)
        self.page.wait_for_function(
            "() => window.jupyterapp?.shell.currentWidget?.sessionContext?.session?.kernel?.status === 'idle'",
            timeout=60_000,
        )
        self.page.evaluate("() => window.jupyterapp.shell.collapseLeft?.()")  # the notebook alone, without the files

    def run_all(self) -> None:
        """Run all cells, and wait until the last one has a number."""
        # Its promise ends with the last cell, and `evaluate` knows no timeout: it is not returned.
        self.page.evaluate("() => { void window.jupyterapp.commands.execute('notebook:run-all-cells'); }")
        self.cell(-1).locator(".jp-InputPrompt").get_by_text("]:").wait_for()
        prompts = ".jp-Notebook .jp-CodeCell .jp-InputArea-prompt"
        self.page.wait_for_function(
            f"() => [...document.querySelectorAll('{prompts}')].every((one) => /\\[\\d+\\]/.test(one.textContent))",
            timeout=120_000,
        )

    def evaluate(self, source: str) -> str:
        """Run a new cell at the end and return what it shows."""
        cells = self.page.locator(".jp-Notebook .jp-CodeCell")
        before = cells.count()
        cells.last.locator(".jp-InputPrompt").click()
        self.page.evaluate("() => { void window.jupyterapp.commands.execute('notebook:insert-cell-below'); }")
        expect(cells).to_have_count(before + 1)
        cells.last.locator(".cm-content").click()
        self.page.keyboard.insert_text(source)
        self.page.keyboard.press("Shift+Enter")
        shown = cells.nth(before).locator(".jp-OutputArea-output")
        shown.first.wait_for()
        return shown.first.inner_text()

    def cell(self, number: int) -> Locator:
        """Return a code cell by its number; negative ones count from the end."""
        cells = self.page.locator(".jp-Notebook .jp-CodeCell")
        return cells.last if number == -1 else cells.nth(number)
