"""One emulator for the tests of a module, which tell one story."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.strangers.cloud import Cloud, serve_cloud

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """Return a new world in which every operation completes at once."""
    with serve_cloud(tmp_path_factory.mktemp("cloud")) as served:
        yield served
