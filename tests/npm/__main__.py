"""Let npm's clients of Azure work against `batchimg emulator`: `make test-npm`, or `python -m tests.npm FOLDER`.

FOLDER is where their packages are installed. The clients get the environment that the server prints and nothing else;
what they do is in the ``*.mjs`` files here, and in the example of ``docs/clients.md``, which has to work as well.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from tests.support.paths import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path(__file__).parent
PAGE = ROOT / "docs" / "clients.md"
SERVE = "import sys; from batchimg_magics.ui.cli import main; sys.exit(main())"


@contextlib.contextmanager
def served() -> Iterator[dict[str, str]]:
    """Serve a world in memory at the default speed, from a process of its own; yield the environment that it prints."""
    with tempfile.TemporaryDirectory() as home:
        words = [sys.executable, "-c", SERVE, "emulator", "--port", "0", "--state", ":memory:", "--certificates", home]
        with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
            environment: dict[str, str] = {}
            for line in process.stdout or ():
                environment.update(re.findall(r"export (\w+)='(.*)'", line))
                if line.startswith("az "):
                    break
            try:
                yield environment
            finally:
                process.send_signal(signal.SIGINT)


def prepare(folder: Path) -> tuple[Path, list[Path]]:
    """Put the page's example and the tests beside the packages that they import, and return where they are."""
    for script in HERE.glob("*.mjs"):
        shutil.copy(script, folder)
    example = folder / "example.mjs"
    example.write_text("\n".join(re.findall(r"^```js\n(.*?)^```", PAGE.read_text("utf-8"), re.DOTALL | re.MULTILINE)))
    return example, sorted(folder.glob("*.test.mjs"))


def main(folder: Path) -> int:
    """Run the example and the tests; say at the end whether all is well."""
    node = shutil.which("node")
    if node is None:
        print("npm's clients: not tried, there is no node", file=sys.stderr)
        return 1
    example, tests = prepare(folder)
    with served() as environment:
        output = os.environ | environment
        failed = [
            words[0]
            for words in ([example.name], ["--test", "--test-reporter=spec", *(test.name for test in tests)])
            if subprocess.run([node, *words], cwd=folder, env=output, check=False).returncode != 0
        ]
    outcome = f"FAILED ({', '.join(failed)})" if failed else "the example and all tests passed"
    print(f"npm's clients: {outcome}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
