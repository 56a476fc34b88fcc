"""Secrets in the documents of a state file: they are encrypted with a key of the user, which is in another file.

Azure returns the environment settings of tasks and the URLs of their files to whoever may read a pool. So a state keeps
them. In the file, the values whose name or form says that they are secrets are encrypted. A file that is copied or
shared without the key does not reveal them: there they are empty.
"""

from __future__ import annotations

import functools
import logging
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from batchimg_magics.emulator.world.private_files import make_private_folder

if TYPE_CHECKING:
    from collections.abc import Callable

    from cryptography.fernet import Fernet

__all__ = ["has_sealed_values", "may_have_secrets", "open_values", "seal_values"]

_PREFIX = "sealed-value:"
_NAME = re.compile(
    r"secret|token|passw|passphrase|credential|signature|connection_?string|(?:^|[_-])(?:sas|pwd)|key$", re.IGNORECASE
)
#: A signature, an account key, a password in a connection string or a URL, or a token in JSON Web format.
_VALUE = re.compile(
    r"[?&;]sig=|accountkey=|sharedaccess|password=|pwd=|://[^/\s:@]+:[^/\s@]+@|\beyJ[\w-]{8,}\.|PRIVATE KEY",
    re.IGNORECASE,
)
_WORDS = ("sig=", "accountkey=", "sharedaccess", "password=", "pwd=", "://", "eyj", "private key")
_URLS = ("httpUrl", "storageContainerUrl", "containerUrl")
_MARKS = (b"nvironmentSettings", b'"httpUrl"', b'ontainerUrl"')
_log = logging.getLogger(__name__)


def may_have_secrets(encoded: bytes) -> bool:
    """Tell whether a document has members whose values can be secrets."""
    return any(mark in encoded for mark in _MARKS)


def has_sealed_values(encoded: bytes) -> bool:
    """Tell whether a document has encrypted values."""
    return _PREFIX.encode() in encoded


def seal_values(document: Any) -> Any:  # noqa: ANN401 - JSON
    """Return a document with its secrets encrypted; None: it has none."""
    sealed = []

    def seal(name: str, value: str) -> str:
        if not _is_secret(name, value):
            return value
        sealed.append(name)
        return f"{_PREFIX}{_cipher(str(key_path())).encrypt(value.encode()).decode()}"

    found = _changed(document, seal)
    return found if sealed else None


def open_values(document: Any) -> Any:  # noqa: ANN401 - JSON
    """Return a document with its secrets as they were; without the key they are empty."""
    return _changed(document, _open)


def _changed(value: Any, change: Callable[[str, str], str]) -> Any:  # noqa: ANN401 - JSON
    """Return JSON with each value that can be a secret changed."""
    if isinstance(value, list):
        return [_changed(one, change) for one in value]
    if not isinstance(value, dict):
        return value
    found: dict[str, Any] = {}
    for name, one in value.items():
        if isinstance(one, str) and name in _URLS:
            found[name] = change("", one)
        elif isinstance(one, list) and name.lower().endswith("environmentsettings"):
            found[name] = [_setting(setting, change) for setting in one]
        else:
            found[name] = _changed(one, change)
    return found


def _setting(setting: Any, change: Callable[[str, str], str]) -> Any:  # noqa: ANN401 - JSON
    if not isinstance(setting, dict) or not isinstance(setting.get("value"), str):
        return setting
    return {**setting, "value": change(str(setting.get("name")), setting["value"])}


def _is_secret(name: str, value: str) -> bool:
    if not value:
        return False
    low = value.lower()
    # Values can be whole scripts, and are written often: the expression costs much more than these.
    has_form = any(word in low for word in _WORDS) and _VALUE.search(value) is not None
    return has_form or value.startswith(_PREFIX) or _NAME.search(name) is not None


def _open(_: str, value: str) -> str:
    if not value.startswith(_PREFIX):
        return value
    from cryptography.fernet import InvalidToken

    path = key_path()
    if path.exists():
        try:
            return _cipher(str(path)).decrypt(value.removeprefix(_PREFIX).encode()).decode()
        except InvalidToken:
            pass  # of another user
    _say_once(str(path))
    return ""


def key_path() -> Path:
    """Return the file with the key of the user: not in the folder of the states, which may be copied as a whole."""
    from platformdirs import user_config_path

    return user_config_path("batchimg") / "state.key"


@functools.cache
def _cipher(path: str) -> Fernet:
    """Return the cipher with the key of a file, which is created if it does not exist."""
    from cryptography.fernet import Fernet

    file = Path(path)
    if not file.exists():
        make_private_folder(file.parent)
        new = file.with_name(f"{file.name}.{os.getpid()}.new")
        handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as stream:
            stream.write(Fernet.generate_key())
        try:
            os.link(new, file)  # only one of several processes makes the key
        except FileExistsError:
            pass
        finally:
            new.unlink()
    return Fernet(file.read_bytes())


@functools.cache
def _say_once(path: str) -> None:
    _log.warning(
        "secrets of tasks in this emulator state are empty: they were encrypted with another key than %s", path
    )


def decode_part(part: bytes | str) -> Any:  # noqa: ANN401 - JSON; SQLite keeps what others wrote as text as it is
    """Return a part of a row as it was before its secrets were encrypted."""
    found = msgspec.json.decode(part)
    encoded = part.encode() if isinstance(part, str) else part
    return open_values(found) if has_sealed_values(encoded) else found
