"""What the Azure CLI prints for refused requests."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from batchimg_magics.emulator.furnish import ACCOUNT

if TYPE_CHECKING:
    from tests.azcli.cloud import AzureCli

G = ("-g", "research")
NOT_FOUND = 3


@pytest.mark.parametrize(
    ("words", "code", "exit_code"),
    [
        ("snapshot show -g research -n none", "ResourceNotFound", NOT_FOUND),
        ("snapshot show -g none -n none", "ResourceGroupNotFound", NOT_FOUND),
        ("group show -n none", "ResourceGroupNotFound", NOT_FOUND),
        ("image show -g research -n none", "ResourceNotFound", NOT_FOUND),
        ("sig image-version show -g research -r none -i none -e 1.0.0", "ResourceNotFound", NOT_FOUND),
        ("batch account show -g research -n none", "ResourceNotFound", NOT_FOUND),
        ("batch pool show --pool-id none", "PoolNotFound", NOT_FOUND),
        ("batch node list --pool-id none", "PoolNotFound", NOT_FOUND),
        ("batch pool delete --pool-id none --yes", "PoolNotFound", NOT_FOUND),
        ("batch job show --job-id none", "JobNotFound", NOT_FOUND),
        ("sig create -g research -r my-gallery", "InvalidParameter", 1),
        ("batch pool list --filter nonsense", "InvalidQueryParameterValue", 1),
        ("image create -g research -n i --source prep-vm --hyper-v-generation V2", "OperationNotAllowed", 1),
        ("vm user list -g research -n none", "", 2),
    ],
)
def test_errors_are_printed_as_azure_returns_them(
    instant_emulator: AzureCli, words: str, code: str, exit_code: int
) -> None:
    response = instant_emulator.refused(*words.split())
    assert response.exit_code == exit_code
    assert response.stderr.startswith(f"ERROR: ({code})" if code else "ERROR: ")


def test_pool_is_made_once(instant_emulator: AzureCli) -> None:
    image = ("--image", "canonical:ubuntu-24_04-lts:server", "--node-agent-sku-id", "batch.node.ubuntu 24.04")
    create = ("batch", "pool", "create", "--id", "once", "--vm-size", "Standard_D2s_v3", *image)
    instant_emulator.az(*create)
    again = instant_emulator.refused(*create)
    assert (again.exit_code, again.stderr.splitlines()[0]) == (
        1,
        "ERROR: (PoolExists) The specified pool already exists.",
    )
    instant_emulator.az("batch", "pool", "delete", "--pool-id", "once", "--yes")


def test_shared_key_makes_no_pool_of_an_image(instant_emulator: AzureCli) -> None:
    keys = instant_emulator.az("batch", "account", "keys", "list", *G, "-n", ACCOUNT)
    group_id = instant_emulator.az("group", "show", "-n", "research")["id"]
    image = f"{group_id}/providers/Microsoft.Compute/galleries/g/images/i"
    options = ("--vm-size", "Standard_D2s_v3", "--image", image, "--node-agent-sku-id", "batch.node.ubuntu 22.04")
    response = instant_emulator.refused(
        "batch", "pool", "create", "--id", "p", *options, "--account-key", keys["primary"]
    )
    assert response.stderr.startswith("ERROR: (AuthenticationFailed)")
    assert "SharedKey is not allowed when external resources of type Compute are linked" in response.stderr
