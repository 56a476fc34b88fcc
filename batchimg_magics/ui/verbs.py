"""The verbs and their options: one table that the magic, the command line, completion and the reference all read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from batchimg_magics.errors import SpecError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = ["JSON", "PROFILE", "VERBS", "Option", "Verb"]

#: What completion offers for a value: what `Session.names` knows, files, or the verbs themselves.
Offer = Literal["", "pool", "vm", "vm_size", "profile", "file", "verb"]


@dataclass(frozen=True, slots=True)
class Option:
    """One option or argument of a verb.

    Parameters
    ----------
    flag
        ``--vm-size``; an argument that stands by its place has no dashes.
    help
        What it says, in one line.
    metavar
        What stands for its value in help; empty for a switch, which takes none.
    read
        From the word on the line to the value. Raises `ValueError` with what is wrong.
    words
        The only values that it takes, if there are only some.
    offer
        What completion offers.
    dest
        The keyword of the `Session` method; by default the flag's own name.
    const
        What a switch says.
    gather
        Makes one value of the values of an option that may be given several times.
    optional
        For an argument: it may be left out.
    """

    flag: str
    help: str
    metavar: str = ""
    read: Callable[[str], Any] = str
    words: tuple[str, ...] = ()
    offer: Offer = ""
    dest: str = ""
    const: bool = True
    gather: Callable[[Iterable[Any]], Any] | None = None
    optional: bool = False

    @property
    def by_place(self) -> bool:
        """Whether it stands by its place, without dashes."""
        return not self.flag.startswith("-")

    @property
    def keyword(self) -> str:
        """The keyword of the `Session` method."""
        return self.dest or self.flag.lstrip("-").replace("-", "_")

    @property
    def usage(self) -> str:
        """How it is written on a line."""
        if self.by_place:
            return f"[{self.metavar}]" if self.optional else self.metavar
        return f"{self.flag} {self.metavar}" if self.metavar else self.flag

    def value(self, word: str) -> Any:  # noqa: ANN401 - what it is, each option's `read` knows
        """Read a word on the line.

        Raises
        ------
        SpecError
            It is not among the words, or `read` does not take it.
        """
        if self.words and word not in self.words:
            raise SpecError(f"{self.flag} is {word!r}", hint=f"it is one of: {', '.join(self.words)}")
        try:
            return self.read(word)
        except ValueError as error:
            raise SpecError(f"{self.flag} is {word!r}: {error}", hint=f"it reads {self.usage}") from error


@dataclass(frozen=True, slots=True)
class Verb:
    """One verb.

    Parameters
    ----------
    name
        The verb.
    does
        What it does, in one line.
    options
        Its arguments and options, in the order of help.
    examples
        Lines without ``%batchimg``.
    takes_body
        Whether a cell's body (YAML) belongs to it.
    """

    name: str
    does: str
    options: tuple[Option, ...] = ()
    examples: tuple[str, ...] = ()
    takes_body: bool = False

    @property
    def usage(self) -> str:
        """How it is used, in short."""
        parts = [self.name, *(option.usage for option in self.options if option.by_place)]
        if any(not option.by_place for option in self.options):
            parts.append("[options]")
        return " ".join(parts)


def _count(word: str) -> int:
    # Upper bounds belong to the spec and to the session, which see what the count is of.
    if not word.removeprefix("-").isdecimal():
        raise ValueError("a count is a whole number")
    if word.startswith("-"):
        raise ValueError("a count is 0 or more")
    return int(word)


def _whole(word: str) -> int:
    try:
        return int(word)
    except ValueError:
        raise ValueError("it is a whole number") from None


def _replica(word: str) -> tuple[str, int]:
    region, equals, number = word.rpartition("=")
    if not equals or not region:
        raise ValueError("a region and a number belong here")
    return region, _count(number)


def _text_of(path: str) -> str:
    from pathlib import Path

    try:
        return Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(getattr(error, "strerror", None) or "the file is not text") from error


_NAME = Option("name", "the pool's name", metavar="NAME", offer="pool")
_NODES = Option("--nodes", "how many dedicated nodes", metavar="N", read=_count)
_SPOT = Option("--spot", "how many spot nodes (cheaper; Azure may take them back)", metavar="N", read=_count)
_RESIZE_TIMEOUT = Option(
    "--timeout", "resize timeout of Azure's, e.g. 30m; at least 5m, by default as the size needs", metavar="DURATION"
)
_UNTIL = Option(
    "--until",
    "ready: wait until the nodes are idle or running (default); steady: only until they are allocated",
    metavar="STATE",
    words=("ready", "steady"),
)
_NO_WAIT = Option("--no-wait", "return at once; the notebook's kernel goes on with the work", dest="wait", const=False)
PROFILE = Option("--profile", "connect as `connect --save-as NAME` saved it", metavar="NAME", offer="profile")
JSON = Option("--json", "print the rows as JSON, for machines")

VERBS: tuple[Verb, ...] = (
    Verb(
        "connect",
        "choose where the work goes: the local Azure (default) or the real one",
        (
            Option("--world", "local: the file that the world lives in, or :memory:", metavar="FILE", offer="file"),
            Option("--speed", "local: simulated seconds a second, or max", metavar="X"),
            Option("--scenario", "local: furnish a new world by this scenario", metavar="NAME"),
            Option("--seed", "local: what the random choices of a new world grow from", metavar="N", read=_whole),
            Option("--date", "local: the day on which a new world begins, e.g. 2026-05-04", metavar="DATE"),
            Option(
                "--import",
                "local: take resource documents as `az ... show` prints them; may be given several times",
                metavar="FILE",
                offer="file",
                dest="import_files",
                gather=tuple,
            ),
            Option("--deprovisioned", "the systems on the imported disks were deprovisioned"),
            Option(
                "--not-deprovisioned",
                "the systems on the imported disks were not deprovisioned",
                dest="deprovisioned",
                const=False,
            ),
            Option("--subscription", "Azure: the subscription's id", metavar="ID"),
            Option("--resource-group", "Azure: the resource group of the VM and the images", metavar="NAME"),
            Option("--account", "Azure: the Batch account", metavar="NAME"),
            PROFILE,
            Option("--save-as", "save this connection as a profile", metavar="NAME", offer="profile"),
        ),
        (
            "connect",
            "connect --world trial.db --speed 600",
            "connect --import vm.json --import disk.json --deprovisioned",
            "connect --subscription 00000000-0000-0000-0000-000000000000 --resource-group lab --account labbatch",
        ),
    ),
    Verb("vms", "list the VMs that an image could be made from", (), ("vms",)),
    Verb("images", "list the gallery images, and which pools use them", (), ("images",)),
    Verb("pools", "list the pools", (), ("pools",)),
    Verb(
        "create",
        "make the image of a prepared VM and a pool from it; the same line again goes on where it was",
        (
            _NAME,
            Option("--from-vm", "the prepared VM: its name or its resource id", metavar="VM", offer="vm"),
            Option("--vm-size", "the nodes' size, e.g. Standard_D4s_v5", metavar="SIZE", offer="vm_size"),
            _NODES,
            _SPOT,
            Option("--generalized", "your word that the VM's system was deprovisioned, where Azure does not mark it"),
            Option(
                "--node-agent-sku", "the Batch node agent, for a VM not made from a Marketplace image", metavar="ID"
            ),
            Option(
                "--replicas",
                "replicas of the image version in a region; may be given several times",
                metavar="REGION=N",
                read=_replica,
                gather=dict,
            ),
            Option("--start-task", "a command line that each node runs before it takes tasks", metavar="COMMAND"),
            Option("--task-slots", "tasks that run on a node at once", metavar="N", read=_count),
            Option("--subnet", "resource id of the subnet that the nodes join", metavar="ID"),
            Option(
                "--spec",
                "read the pool from a YAML file; options win over it. A cell's body does the same",
                metavar="FILE",
                read=_text_of,
                offer="file",
            ),
            _RESIZE_TIMEOUT,
            _UNTIL,
            _NO_WAIT,
        ),
        (
            "create genomics --from-vm prep-vm --vm-size Standard_D4s_v5 --nodes 20 --spot 5",
            "create genomics --spec genomics.yaml --nodes 50",
        ),
        takes_body=True,
    ),
    Verb(
        "nodes",
        "show every node of a pool and its state now",
        (_NAME, Option("--counts", "one row a state instead of one a node")),
        ("nodes genomics", "nodes genomics --counts"),
    ),
    Verb(
        "resize",
        "give a pool another number of nodes; a kind that is not named stays as it is",
        (_NAME, _NODES, _SPOT, _RESIZE_TIMEOUT, _UNTIL, _NO_WAIT),
        ("resize genomics --nodes 120", "resize genomics --nodes 0 --spot 0"),
    ),
    Verb(
        "wait",
        "wait until a pool's nodes are there",
        (_NAME, _UNTIL, Option("--timeout", "give up after so long, e.g. 2h", metavar="DURATION")),
        ("wait genomics", "wait genomics --until steady --timeout 30m"),
    ),
    Verb("stop", "stop a pool's resize: the nodes that are there stay", (_NAME,), ("stop genomics",)),
    Verb(
        "delete",
        "delete a pool, and with --image what was made for it",
        (
            _NAME,
            Option("--image", "its image versions and snapshots too"),
            Option("--dry-run", "only show what would be deleted"),
            Option("--yes", "really do it, on a real connection"),
            _NO_WAIT,
        ),
        ("delete genomics --dry-run --image", "delete genomics --image"),
    ),
    Verb(
        "help",
        "list the verbs, or the options of one",
        (Option("verb", "the verb", metavar="VERB", offer="verb", optional=True),),
        ("help", "help create"),
    ),
)
