"""Api-versions for requests of tests that are not about api-versions."""

from __future__ import annotations

from urllib.parse import urlsplit

from batchimg_magics.emulator.arm.api_versions import type_segments
from batchimg_magics.emulator.catalog.api_versions import find_type

#: The tests were written for the versions up to this one.
LATEST = "2024-03-03"


def version_for(url: str, until: str = LATEST) -> str:
    """Return the latest stable api-version of the type in a URL or path, up to another one."""
    path = urlsplit(url).path
    _, versions = find_type(*type_segments(path))
    return next((one for one in versions if one <= until and "preview" not in one), until)
