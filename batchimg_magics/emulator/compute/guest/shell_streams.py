"""What commands read one after the other, and the output into files."""

from __future__ import annotations

import msgspec


class Stream(msgspec.Struct):
    """A standard input that several commands read one after the other."""

    text: str
    at: int = 0

    def rest(self) -> str:
        """Read what was not read yet."""
        found, self.at = self.text[self.at :], len(self.text)
        return found

    def line(self) -> str | None:
        """Read a line, with its end; None after the last one."""
        if self.at >= len(self.text):
            return None
        end = self.text.find("\n", self.at)
        end = len(self.text) if end < 0 else end + 1
        found, self.at = self.text[self.at : end], end
        return found


class FileOutput(list[str]):
    """The output into a file."""

    def __init__(self, path: str, text: str) -> None:
        super().__init__([text] if text else [])
        self.path = path
