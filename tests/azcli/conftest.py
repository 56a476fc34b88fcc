"""One server, one emulator and one sign-in for the tests of a module."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from tests.azcli.cloud import INSTANT_SPEED, STOPPED_SPEED, AzureCli, serve_emulator

if TYPE_CHECKING:
    from collections.abc import Iterator


def _needs_az() -> None:
    if shutil.which("az") is None:
        pytest.fail("Azure's command line is not there: run `make test-azcli`")


@pytest.fixture(scope="module")
def instant_emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AzureCli]:
    """Return a signed-in shell on an emulator where every operation completes at once."""
    _needs_az()
    with serve_emulator(tmp_path_factory.mktemp("instant"), INSTANT_SPEED) as cloud:
        yield cloud


@pytest.fixture(scope="module")
def stopped_emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AzureCli]:
    """Return a signed-in shell on an emulator where the test advances the time."""
    _needs_az()
    with serve_emulator(tmp_path_factory.mktemp("stopped"), STOPPED_SPEED) as cloud:
        yield cloud
