"""Take the picture of the README: `python -m tests.lab.picture docs/quickstart.png` (needs playwright and chromium).

The quickstart notebook is executed as `make demo` does it, opened in a real JupyterLab on loopback and photographed.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.error import URLError
from urllib.request import urlopen

import nbformat
from playwright.sync_api import sync_playwright

from tests.demo import execute

if TYPE_CHECKING:
    from collections.abc import Iterator

NOTEBOOK = Path("notebooks/quickstart.ipynb")
SIZE = {"width": 1500, "height": 1300}
FLAGS = [
    f"--{flag}"
    for flag in (
        "headless", "no-sandbox", "disable-gpu", "disable-quic", "no-first-run", "disable-background-networking",
        "disable-component-update", "disable-sync",
    )
]  # fmt: skip


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextlib.contextmanager
def lab(root: Path, home: Path) -> Iterator[str]:
    """Run JupyterLab on a folder, with settings of its own, and yield its address with a token."""
    port, token = _free_port(), secrets.token_hex(16)
    names = ("CONFIG_DIR", "DATA_DIR", "RUNTIME_DIR")
    env = {**os.environ, **{f"JUPYTER_{name}": str(home / name.lower()) for name in names}}
    env |= {f"JUPYTERLAB_{name}": str(home / name.lower()) for name in ("SETTINGS_DIR", "WORKSPACES_DIR")}
    env["IPYTHONDIR"] = str(home / "ipython")
    news = home / "settings_dir" / "@jupyterlab" / "apputils-extension" / "notification.jupyterlab-settings"
    news.parent.mkdir(parents=True)
    news.write_text('{"fetchNews": "false", "checkForUpdates": false, "doNotDisturbMode": true}')
    command = [
        sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--ServerApp.ip=127.0.0.1",
        f"--ServerApp.port={port}", "--ServerApp.port_retries=0", f"--IdentityProvider.token={token}",
        f"--ServerApp.root_dir={root}", "--LabApp.news_url=",
    ]  # fmt: skip
    # The outputs were made here, as if in this Lab: without its trust it would drop their style.
    subprocess.run([sys.executable, "-m", "jupyter", "trust", str(root / NOTEBOOK.name)], env=env, check=True)
    with subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        try:
            _until_up(f"http://127.0.0.1:{port}/api/status?token={token}", server)
            yield f"http://127.0.0.1:{port}/lab/tree/{NOTEBOOK.name}?token={token}&reset"
        finally:
            server.terminate()


def _until_up(url: str, server: subprocess.Popen[bytes]) -> None:
    while True:
        try:
            urlopen(url, timeout=1).close()  # noqa: S310 - loopback
        except (URLError, OSError):
            if server.poll() is not None:
                raise RuntimeError("JupyterLab did not start") from None
        else:
            return


def take(target: Path) -> None:
    """Write the picture."""
    with tempfile.TemporaryDirectory() as folder:
        root, home = Path(folder) / "root", Path(folder) / "home"
        root.mkdir()
        nbformat.write(execute(NOTEBOOK), root / NOTEBOOK.name)
        with lab(root, home) as url, sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
            page = browser.new_page(viewport=SIZE)
            page.goto(url)
            page.wait_for_selector(".jp-NotebookPanel .jp-OutputArea-output table", timeout=60_000)
            dialog = page.locator(".jp-Dialog button.jp-mod-accept")
            if dialog.count():
                dialog.first.click()
            page.keyboard.press("Control+b")  # the notebook alone, without the file list
            page.locator(".jp-NotebookPanel .jp-Notebook").wait_for()
            page.get_by_text("(ipykernel) | Idle").wait_for()
            page.screenshot(path=str(target))
            browser.close()


if __name__ == "__main__":
    take(Path(sys.argv[1]))
