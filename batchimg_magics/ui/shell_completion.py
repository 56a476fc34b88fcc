"""Completion in bash, zsh and fish: the scripts, and the hidden command that they ask.

A shell starts a process for each completion: nothing of Azure is imported, and no connection is opened. The names of
pools and VMs are those that the last commands have shown.
"""

from __future__ import annotations

import json
import os
import shlex
import sys
from typing import TYPE_CHECKING

from batchimg_magics.errors import BatchImgError, SpecError
from batchimg_magics.ui.completion import Candidate, complete_words, split_unfinished, with_prefix
from batchimg_magics.verbs.verb import SHARED

if TYPE_CHECKING:
    from pathlib import Path

    from batchimg_magics.core.base.table import Table

__all__ = ["ANSWER_COMMAND", "SHELLS", "answer", "completion_script", "remember_names"]

#: The hidden command: the shell, and its words up to the cursor; for bash, the line.
ANSWER_COMMAND = "__complete"
_BASH = """\
# batchimg completion bash: add this line to ~/.bashrc
#   source <(batchimg completion bash)
_batchimg() {
    local IFS=$'\\n'
    COMPREPLY=($(batchimg __complete bash "${COMP_LINE:0:$COMP_POINT}" 2>/dev/null))
}
complete -o bashdefault -o default -F _batchimg batchimg
"""
_ZSH = """\
#compdef batchimg
# batchimg completion zsh: add this line to ~/.zshrc, after compinit
#   source <(batchimg completion zsh)
_batchimg() {
    local -a found
    found=("${(@f)$(batchimg __complete zsh "${(@Q)words[2,CURRENT]}" 2>/dev/null)}")
    if [[ -n "${found[1]}" ]]; then
        _describe -V batchimg found
    else
        _files
    fi
}
compdef _batchimg batchimg
"""
_FISH = """\
# batchimg completion fish: write it to ~/.config/fish/completions/batchimg.fish
#   batchimg completion fish > ~/.config/fish/completions/batchimg.fish
function __batchimg_complete
    set -l words (commandline -opc)
    set -e words[1]
    batchimg __complete fish $words (commandline -ct) 2>/dev/null
end
complete -c batchimg -f -a '(__batchimg_complete)'
"""
_SCRIPTS = {"bash": _BASH, "zsh": _ZSH, "fish": _FISH}
SHELLS = tuple(_SCRIPTS)
#: What only the command line has.
_COMMANDS = {
    "emulator": "Serve the emulator to other clients: SDKs, the Azure CLI and npm packages",
    "completion": "Print a script that completes commands in a shell",
}
#: The verbs that show all names of a kind, and the column of the names.
_SHOWN = {"pools": "pool", "vms": "vm"}


def completion_script(words: list[str]) -> str:
    """Return the script of a shell.

    Raises
    ------
    SpecError
        The words are not the name of one shell.
    """
    if len(words) != 1 or words[0] not in SHELLS:
        found = f"there is no script for {' '.join(words)!r}" if words else "the name of a shell is missing"
        raise SpecError(found, hint=f"usage: batchimg completion {'|'.join(SHELLS)}")
    return _SCRIPTS[words[0]]


def answer(words: list[str]) -> str:
    """Return the completions that a shell asks for, one per line.

    Parameters
    ----------
    words
        The shell, and the words of the command after its name, up to the cursor; for bash, the line up to the cursor.
    """
    shell, *given = words or [""]
    if shell == "bash":
        before, last = split_unfinished(given[0] if given else "")
        given = [*before, last][1:]  # without the name of the command
    *before, last = given or [""]
    fragment, found = _candidates(before, last)
    start = last[: len(last) - len(fragment)]
    if shell == "fish":
        return "".join(f"{start}{one.text}\t{one.description or one.kind}\n" for one in found)
    found = [one for one in found if one.kind not in ("file", "folder")]  # these shells have their own
    if shell == "zsh":
        texts = (f"{start}{one.text}".replace(":", "\\\\:") for one in found)
        return "".join(f"{text}:{one.description or one.kind}\n" for text, one in zip(texts, found, strict=True))
    # A `=` separates words in bash.
    return "".join(f"{one.text}\n" for one in found)


def _candidates(before: list[str], last: str) -> tuple[str, list[Candidate]]:
    words, profile, waiting = _without_shared(before)
    names = _Remembered(_connection_key(profile))
    if waiting is not None:
        values = names("profile") if waiting == "--profile" else list(SHARED[0].choices)
        return last, [Candidate(one, "value") for one in with_prefix(last, values)]
    shared = {option.flag: option.help for option in SHARED}
    if words[:1] == ["completion"]:
        return last, [Candidate(one, "shell") for one in with_prefix(last, SHELLS)]
    fragment, found = complete_words(words, last, names)
    if not words:
        found += [Candidate(one, "command", _COMMANDS[one]) for one in with_prefix(last, _COMMANDS)]
    if last.startswith("-") and "=" not in last:
        found += [Candidate(one, "option", shared[one]) for one in with_prefix(last, shared)]
    return fragment, list({one.text: one for one in found}.values())


def _without_shared(words: list[str]) -> tuple[list[str], str, str | None]:
    """Return the words of the verb, the profile, and the option of every command whose value is at the cursor."""
    flags = {name: option.flag for option in SHARED if option.metavar for name in (option.flag, option.short) if name}
    rest: list[str] = []
    profile, waiting = "", None
    for word in words:
        if waiting is not None:
            profile, waiting = (word if waiting == "--profile" else profile), None
        elif word in flags and not (word == "--output" and rest[:1] == ["packer"]):
            waiting = flags[word]
        elif word != "--json":
            rest.append(word)
    return rest, profile, waiting


# -- names ---------------------------------------------------------------------------------------------------------


def _names_path() -> Path:
    from platformdirs import user_data_path

    return user_data_path("batchimg") / "completion-names.json"


def _connection_key(profile: str) -> str:
    return f"profile {profile}" if profile else f"emulator {os.environ.get('BATCHIMG_STATE', '')}"


def _read_names() -> dict[str, dict[str, list[str]]]:
    try:
        read: dict[str, dict[str, list[str]]] = json.loads(_names_path().read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return read if isinstance(read, dict) else {}


def remember_names(table: Table, profile: str) -> None:
    """Keep the names of pools or VMs that a table shows, for completion."""
    column = _SHOWN.get(table.verb)
    if column is None or column not in table.columns:
        return
    kept, key = _read_names(), _connection_key(profile)
    names = sorted({str(one) for one in table.columns[column] if one})
    if kept.get(key, {}).get(column) == names:
        return
    kept.setdefault(key, {})[column] = names
    from batchimg_magics.core.base.files import make_private_folder, write_file

    try:
        make_private_folder(_names_path().parent)
        write_file(_names_path(), json.dumps(kept), force=True, private=True)
    except (OSError, BatchImgError) as error:  # completion is not worth an error
        sys.stderr.write(f"the names for completion cannot be kept: {error}\n")


class _Remembered:
    """Returns the names that the last commands have shown."""

    def __init__(self, key: str) -> None:
        self._key = key

    def __call__(self, kind: str, of: str = "") -> list[str]:  # noqa: ARG002 - nodes are not kept
        """Return the names of a kind, without those that are not one word of a shell: it puts them on its line."""
        return [name for name in self._names(kind) if shlex.quote(name) == name and not name.startswith("-")]

    def _names(self, kind: str) -> list[str]:
        if kind == "profile":
            from batchimg_magics.connection.profiles import read_profiles

            try:
                return sorted(read_profiles())
            except BatchImgError:
                return []
        if kind == "cloud":
            from batchimg_magics.connection.clouds import CLOUD_NAMES

            return list(CLOUD_NAMES)
        kept = _read_names().get(self._key, {})
        kinds = {"checkable": ("pool", "vm"), "image": ("pool",)}.get(kind, (kind,))
        return sorted({name for one in kinds for name in kept.get(one, [])})
