"""The options of programs, as ``getopt`` reads them."""

from __future__ import annotations

import msgspec

from batchimg_magics.emulator.compute.guest.scripts import UnsupportedLineError


class UnknownOptionError(UnsupportedLineError):
    """The emulator does not know an option of a program that it models; the message is the command line."""


class Options(msgspec.Struct):
    """The options of a command line, and its other arguments.

    Parameters
    ----------
    given
        (Option, value) pairs in order; the value is empty for one without.
    words
        The other arguments.
    """

    given: list[tuple[str, str]]
    words: list[str]

    def has(self, *names: str) -> bool:
        """Tell whether one of the options is given."""
        return any(name in names for name, _ in self.given)

    def value(self, *names: str, default: str = "") -> str:
        """Return the last value of the options."""
        return next((value for name, value in reversed(self.given) if name in names), default)

    def values(self, *names: str) -> list[str]:
        """Return all values of the options."""
        return [value for name, value in self.given if name in names]


def read_options(argv: list[str], with_value: str = "", flags: str = "", *, stops: bool = False) -> Options:
    """Return the options of a command line.

    Parameters
    ----------
    argv
        The arguments, the name first.
    with_value, flags
        The options with and without a value, between blanks, without hyphens: ``"n key"``.
    stops
        Whether the first argument that is no option ends them.

    Raises
    ------
    UnknownOptionError
        It has another option.
    """
    takes, plain = with_value.split(), flags.split()
    found = Options([], [])
    words = list(argv[1:])
    while words:
        word = words.pop(0)
        if word == "--":
            found.words += words
            break
        if word.startswith("-") and len(word) > 1:
            known = (_long if word.startswith("--") else _short)(found, word, words, takes, plain)
            if not known:
                raise UnknownOptionError(" ".join(argv))
        else:
            found.words.append(word)
            if stops:
                found.words += words
                break
    return found


def _long(found: Options, word: str, words: list[str], takes: list[str], plain: list[str]) -> bool:
    name, sign, value = word[2:].partition("=")
    if name in takes:
        found.given.append((name, value if sign or not words else words.pop(0)))
        return True
    if name in plain:
        found.given.append((name, value))
    return name in plain


def _short(found: Options, word: str, words: list[str], takes: list[str], plain: list[str]) -> bool:
    letters = word[1:]
    if letters in takes and len(letters) > 1:  # find's options and R's have one hyphen and several letters
        found.given.append((letters, words.pop(0) if words else ""))
        return True
    while letters:
        name, letters = letters[0], letters[1:]
        if name in takes:
            found.given.append((name, letters or (words.pop(0) if words else "")))
            return True
        if name not in plain:
            return False
        found.given.append((name, ""))
    return True
