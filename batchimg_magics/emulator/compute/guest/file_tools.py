"""The programs of a Linux VM that make, copy, move, delete and list files."""

from __future__ import annotations

import base64
import binascii
import fnmatch
import itertools
import posixpath
import re
from typing import TYPE_CHECKING

from batchimg_magics.emulator.compute.guest.options import read_options
from batchimg_magics.emulator.compute.guest.scripts import UnsupportedLineError
from batchimg_magics.emulator.compute.guest.text_tools import gather

if TYPE_CHECKING:
    from collections.abc import Callable

    from batchimg_magics.emulator.compute.guest.shell import Program, Shell


def _target(shell: Shell, source: str, target: str) -> str:
    """Return where a file is copied to: into a folder, or to a name."""
    return f"{target.rstrip('/')}/{posixpath.basename(source.rstrip('/'))}" if shell.kind_of(target) == "d" else target


def _copy(shell: Shell, argv: list[str], _: str | None) -> int:
    name = argv[0].rpartition("/")[2]
    asked = read_options(
        argv, "t target-directory S m mode o g", "r R recursive a archive p f force v u n i L P d T D s"
    )
    folder = asked.value("t", "target-directory")
    sources, target = (asked.words, folder) if folder else (asked.words[:-1], asked.words[-1] if asked.words else "")
    if not sources or not target:
        return shell.complain(f"{name}: missing file operand")
    if name == "install" and asked.has("D"):
        make_folder(shell, posixpath.dirname(shell.full_path(target)))
    if len(sources) > 1 and shell.kind_of(target) != "d":
        return shell.complain(f"{name}: target '{target}': No such file or directory")
    deep = name == "mv" or asked.has("r", "R", "recursive", "a", "archive")
    return max(_copy_one(shell, name, one, target, deep=deep) for one in sources)


def _copy_one(shell: Shell, name: str, source: str, target: str, *, deep: bool) -> int:
    kind = shell.kind_of(source)
    if not kind:
        verb = "stat" if name in ("cp", "mv", "install") else "access"
        return shell.complain(f"{name}: cannot {verb} '{source}': No such file or directory")
    if target.endswith("/") and shell.kind_of(target) != "d":
        return shell.complain(f"{name}: cannot create regular file '{target}': Not a directory")
    into = _target(shell, source, target)
    if kind == "d":
        if not deep:
            return shell.complain(f"{name}: -r not specified; omitting directory '{source}'")
        return _copy_folder(shell, name, source, into)
    text = shell.text_of(source)
    if text is None:
        raise UnsupportedLineError(f"{name} {source}")
    if not shell.write(into, text):
        verb = "move" if name == "mv" else "create regular file"
        return shell.complain(f"{name}: cannot {verb} '{into}': No such file or directory")
    if name == "mv":
        shell.put_file(shell.full_path(source), None)
    return 0


def _copy_folder(shell: Shell, name: str, source: str, into: str) -> int:
    top, end = shell.full_path(source), shell.full_path(into)
    make_folder(shell, end)
    for path in [one for one in shell.files.texts if one.startswith(f"{top}/")]:
        shell.put_file(end + path[len(top) :], shell.files.texts[path])
        if name == "mv":
            shell.put_file(path, None)
    return 0


def make_folder(shell: Shell, full: str) -> None:
    """Create a folder, and those above it."""
    if not shell.files.is_folder(full):
        shell.put_file(f"{full.rstrip('/')}/", "")


def _mkdir(shell: Shell, argv: list[str], _: str | None) -> int:
    asked = read_options(argv, "m mode", "p parents v")
    status = 0
    for path in asked.words:
        full, kind = shell.full_path(path), shell.kind_of(path)
        if asked.has("p", "parents") and kind != "f":
            make_folder(shell, full)
        elif kind:
            status = shell.complain(f"mkdir: cannot create directory '{path}': File exists")
        elif shell.kind_of(posixpath.dirname(full)) != "d":
            status = shell.complain(f"mkdir: cannot create directory '{path}': No such file or directory")
        else:
            make_folder(shell, full)
    return status


def _touch(shell: Shell, argv: list[str], _: str | None) -> int:
    status = 0
    for path in (one for one in argv[1:] if not one.startswith("-")):
        if not shell.kind_of(path) and not shell.write(path, ""):
            status = shell.complain(f"touch: cannot touch '{path}': No such file or directory")
    return status


def _truncate(shell: Shell, argv: list[str], _: str | None) -> int:
    asked = read_options(argv, "s size", "c")
    if asked.value("s", "size") != "0":
        raise UnsupportedLineError(" ".join(argv))
    return max((0 if shell.write(path, "") else 1 for path in asked.words), default=0)


def _mktemp(shell: Shell, argv: list[str], _: str | None) -> int:
    asked = read_options(argv, "p tmpdir suffix", "d directory t q u")
    folder = asked.value("p", "tmpdir") or "/tmp"  # noqa: S108 - of the VM
    template = asked.words[0] if asked.words else f"{folder}/tmp.XXXXXXXXXX"  # noqa: S108 - of the VM
    marks = re.search(r"X{3,}$", template)
    width = len(marks[0]) if marks else 0
    stem = template[: len(template) - width]
    names = (f"{stem}{n:0{width}d}" for n in itertools.count(1))
    path = next(one for one in names if not shell.kind_of(one))
    if asked.has("d", "directory"):
        make_folder(shell, shell.full_path(path))
    elif not shell.write(path, ""):
        return shell.complain(f"mktemp: failed to create file via template '{template}': No such file or directory")
    shell.stdout.append(f"{path}\n")
    return 0


def _tee(shell: Shell, argv: list[str], stdin: str | None) -> int:
    adds = any(one in ("-a", "--append") for one in argv[1:])
    text, status = shell.take_input(stdin), 0
    for path in (one for one in argv[1:] if not one.startswith("-")):
        before = (shell.text_of(path) or "") if adds else ""
        if not shell.write(path, before + text):
            status = shell.complain(f"tee: {path}: No such file or directory")
    shell.stdout.append(text)
    return status


def _find(shell: Shell, argv: list[str], _: str | None) -> int:
    """List files by name, path and type: as far as the emulator knows them."""
    words = list(argv[1:])
    tops = []
    while words and words[0][:1] not in ("-", "!", "("):
        tops.append(words.pop(0))
    tests = dict(zip(words[::2], words[1::2], strict=False))
    known = {"-name", "-path", "-wholename", "-iname", "-type", "-maxdepth", "-mindepth"}
    if words[-1:] == ["-print"]:
        tests = dict(zip(words[:-1:2], words[1:-1:2], strict=False))
    if set(tests) - known or len(words) % 2 != (words[-1:] == ["-print"]):
        raise UnsupportedLineError(" ".join(argv))
    status = 0
    for top in tops or ["."]:
        if not shell.kind_of(top):
            status = shell.complain(f"find: '{top}': No such file or directory")
            continue
        full = shell.full_path(top)
        for path in [full, *shell.all_below(full)]:
            if _found(shell, tests, full, path):
                shell.stdout.append(f"{top if path == full else top.rstrip('/') + path[len(full.rstrip('/')) :]}\n")
    return status


def _found(shell: Shell, tests: dict[str, str], top: str, path: str) -> bool:
    depth = path.rstrip("/").count("/") - top.rstrip("/").count("/")
    name = posixpath.basename(path)
    checks: dict[str, Callable[[str], bool]] = {
        "-name": lambda value: fnmatch.fnmatchcase(name, value),
        "-iname": lambda value: fnmatch.fnmatchcase(name.lower(), value.lower()),
        "-path": lambda value: fnmatch.fnmatchcase(path, value),
        "-wholename": lambda value: fnmatch.fnmatchcase(path, value),
        "-type": lambda value: shell.kind_of(path) == value,
        "-maxdepth": lambda value: depth <= int(value),
        "-mindepth": lambda value: depth >= int(value),
    }
    return all(checks[test](value) for test, value in tests.items())


def _basename(shell: Shell, argv: list[str], _: str | None) -> int:
    words = [one for one in argv[1:] if not one.startswith("-")]
    if not words:
        return shell.complain("basename: missing operand")
    name = posixpath.basename(words[0].rstrip("/"))
    shell.stdout.append(f"{name.removesuffix(words[1]) if len(words) > 1 and name != words[1] else name}\n")
    return 0


def _dirname(shell: Shell, argv: list[str], _: str | None) -> int:
    for word in argv[1:]:
        shell.stdout.append(f"{posixpath.dirname(word.rstrip('/')) or '.'}\n")
    return 0 if argv[1:] else shell.complain("dirname: missing operand")


def _realpath(shell: Shell, argv: list[str], _: str | None) -> int:
    for word in (one for one in argv[1:] if not one.startswith("-")):
        shell.stdout.append(f"{shell.full_path(word)}\n")
    return 0


def _cmp(shell: Shell, argv: list[str], _: str | None) -> int:
    """Compare two files: ``cmp``, and ``diff -q``."""
    name = argv[0].rpartition("/")[2]
    asked = read_options(argv, "", "s q brief quiet silent")
    texts = [shell.text_of(path) for path in asked.words[:2]]
    if None in texts or len(texts) < 2:
        return shell.complain(f"{name}: {asked.words[0] if asked.words else ''}: No such file or directory", 2)
    if texts[0] == texts[1]:
        return 0
    if name == "diff" and not asked.has("q", "brief"):
        raise UnsupportedLineError(" ".join(argv))
    if not asked.has("s", "quiet", "silent"):
        shell.stdout.append(f"{'Files ' if name == 'diff' else ''}{asked.words[0]} {asked.words[1]} differ\n")
    return 1


def _base64(shell: Shell, argv: list[str], stdin: str | None) -> int:
    asked = read_options(argv, "w wrap", "d decode i")
    text, status = gather(shell, "base64", asked.words, stdin)
    if asked.has("d", "decode"):
        try:
            shell.stdout.append(base64.b64decode(text.replace("\n", ""), validate=True).decode())
        except (binascii.Error, UnicodeDecodeError):
            return shell.complain("base64: invalid input")
        return status
    coded = base64.b64encode(text.encode()).decode()
    width = int(asked.value("w", "wrap", default="76"))
    lines = [coded[at : at + width] for at in range(0, len(coded), width)] if width else [coded]
    shell.stdout.append("\n".join(lines) + ("\n" if width else ""))
    return status


FILE_TOOLS: dict[str, Program] = {
    "cp": _copy,
    "mv": _copy,
    "install": _copy,
    "mkdir": _mkdir,
    "touch": _touch,
    "truncate": _truncate,
    "mktemp": _mktemp,
    "tee": _tee,
    "find": _find,
    "basename": _basename,
    "dirname": _dirname,
    "realpath": _realpath,
    "readlink": _realpath,
    "cmp": _cmp,
    "diff": _cmp,
    "base64": _base64,
}
