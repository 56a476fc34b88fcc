"""The certificates of the server, and the authorities that its clients trust.

The authority is created once and kept in a folder of the user, so that clients that trust it continue to do so. The
server's own certificate is made for each process, because several can run at the same time.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import os
import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import trustme

#: The variables by which programs name a file with all authorities that they trust.
BUNDLE_VARIABLES = ("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE", "CURL_CA_BUNDLE")
#: Node.js: authorities that it trusts beside its own.
NODE_VARIABLE = "NODE_EXTRA_CA_CERTS"
#: Apple's libraries accept no longer lifetime of a server's certificate. Source: "About upcoming limits on trusted
#: certificates" of Apple.
_LIFETIME = dt.timedelta(days=397)
_BEGIN = b"-----BEGIN CERTIFICATE-----"
_CERTIFICATE = re.compile(_BEGIN + b".*?-----END CERTIFICATE-----", re.DOTALL)


class Certificates(msgspec.Struct, frozen=True):
    """Files with certificates, as PEM.

    Parameters
    ----------
    certificate, key
        Of the server.
    authority
        The certificate authority of the emulator.
    bundle
        The usual certificate authorities, and that of the emulator: for clients that also use other hosts.
    """

    certificate: Path
    key: Path
    authority: Path
    bundle: Path


def default_home() -> Path:
    """Return the folder of the authority in the user data folder."""
    from platformdirs import user_data_path

    return Path(user_data_path("batchimg")) / "tls"


def make_certificates(
    home: Path, folder: Path, names: Iterable[str], environment: Mapping[str, str] = os.environ
) -> Certificates:
    """Return the files for a server and its clients.

    Parameters
    ----------
    home
        Folder of the authority and the bundle. The authority is created if it does not exist.
    folder
        Folder for the server's certificate and key.
    names
        The names in the server's certificate.
    environment
        Names the authorities that the user trusts already.
    """
    signer, authority = _authority(home)
    own = signer.issue_cert(*names, not_after=dt.datetime.now(dt.UTC) + _LIFETIME)
    made = Certificates(folder / "server.pem", folder / "server.key", authority, home / "bundle.pem")
    _write(made.key, own.private_key_pem.bytes(), mode=0o600)
    _write(made.certificate, b"".join(part.bytes() for part in own.cert_chain_pems))
    _write(made.bundle, _bundle(signer.cert_pem.bytes(), environment))
    return made


def _authority(home: Path) -> tuple[trustme.CA, Path]:
    """Return the authority, and the file of its certificate; create it if it does not exist.

    One file has the key and the certificate, so that two processes that create them at the same time agree: the second
    one uses that of the first.
    """
    import trustme

    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    secret, public = home / "authority.key", home / "authority.pem"
    if not secret.exists():
        new = trustme.CA(organization_name="batchimg emulator")
        _create(secret, new.private_key_pem.bytes() + new.cert_pem.bytes())
    content = secret.read_bytes()
    key, _, rest = content.partition(_BEGIN)
    certificate = _BEGIN + rest if rest else public.read_bytes()
    _write(public, certificate)
    return trustme.CA.from_pem(certificate, key), public


def _bundle(authority: bytes, environment: Mapping[str, str]) -> bytes:
    """Return the usual authorities, those that the environment names already, and that of the emulator, each once.

    In a shell in which the lines of an earlier server were pasted, the environment names the bundle itself: it is kept.
    """
    import certifi

    named = sorted({environment[name] for name in (*BUNDLE_VARIABLES, NODE_VARIABLE) if environment.get(name)})
    contents = [
        Path(certifi.where()).read_bytes(),
        *(one for name in named for one in _contents(Path(name))),
        authority,
    ]
    found = (b"\n".join(one.split(b"\r\n")) for content in contents for one in _CERTIFICATE.findall(content))
    return b"\n".join(dict.fromkeys(found)) + b"\n"


def _contents(path: Path) -> list[bytes]:
    """Return the content of a file, or of the files of a folder; nothing if there is none."""
    try:
        return [one.read_bytes() for one in (sorted(path.iterdir()) if path.is_dir() else [path]) if one.is_file()]
    except OSError:  # clients could not read it either
        return []


def _create(path: Path, content: bytes) -> None:
    """Create a private file with its content at once, unless another process creates it first."""
    temporary = _temporary(path, content)
    try:
        path.hardlink_to(temporary)
    except FileExistsError:
        pass
    except OSError:  # the file system has no hard links
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _write(path: Path, content: bytes, mode: int = 0o644) -> None:
    """Replace a file at once, unless it has that content: other processes may be reading it."""
    with contextlib.suppress(FileNotFoundError):
        if path.read_bytes() == content:
            return
    temporary = _temporary(path, content)
    temporary.chmod(mode)
    temporary.replace(path)


def _temporary(path: Path, content: bytes) -> Path:
    """Write a private file beside another one."""
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
    return Path(name)
