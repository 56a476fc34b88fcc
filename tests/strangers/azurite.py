"""Azurite, npm's emulator of Azure Storage: where programs keep the files that the tasks of Batch read and write."""

from __future__ import annotations

import contextlib
import socket
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.strangers.cloud import environment_folder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

#: The account of every Azurite, and its key, which Microsoft publishes.
ACCOUNT = "devstoreaccount1"
_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="


@dataclass(frozen=True, slots=True)
class BlobService:
    """A served blob service."""

    url: str

    @property
    def connection_string(self) -> str:
        """What its clients need."""
        return f"DefaultEndpointsProtocol=http;AccountName={ACCOUNT};AccountKey={_KEY};BlobEndpoint={self.url};"


@contextlib.contextmanager
def serve_blobs(home: Path) -> Iterator[BlobService]:
    """Serve blobs in memory."""
    program = environment_folder("node") / "node_modules" / ".bin" / "azurite-blob"
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = [program, "--inMemoryPersistence", "--skipApiVersionCheck", "--disableTelemetry"]
    words += ["--blobHost", "127.0.0.1", "--blobPort", str(port)]
    with subprocess.Popen(words, cwd=home, stdout=subprocess.PIPE, text=True) as service:
        try:
            assert service.stdout is not None
            assert any("successfully listens" in line for line in service.stdout)
            yield BlobService(f"http://127.0.0.1:{port}/{ACCOUNT}")
        finally:
            service.terminate()
            service.communicate(timeout=30)
