"""The base class of the tests."""

from __future__ import annotations

import os
from typing import Any

from devtools_testutils.names import random_name

#: Where the library asks Microsoft's own host about a sign-in host that it does not know.
_NO_DISCOVERY = {"disable_instance_discovery": True}


class AzureRecordedTestCase:
    """Make clients that are signed in with the variables of the environment."""

    is_live = True
    in_recording = False

    def get_credential(self, client_class: type, *, is_async: bool = False) -> Any:
        """Return the credential of the environment, of the kind that a client takes."""
        if is_async or ".aio" in client_class.__module__:
            from azure.identity.aio import EnvironmentCredential as AsyncEnvironmentCredential

            return AsyncEnvironmentCredential(**_NO_DISCOVERY)
        from azure.identity import EnvironmentCredential

        return EnvironmentCredential(**_NO_DISCOVERY)

    def get_settings_value(self, name: str) -> str:
        """Return a setting of the environment."""
        return os.environ[f"AZURE_{name}"]

    def get_resource_name(self, prefix: str) -> str:
        """Return a new name."""
        return random_name(prefix)


class AzureMgmtRecordedTestCase(AzureRecordedTestCase):
    """Make clients of Resource Manager, too."""

    def create_mgmt_client(self, client_class: Any, *, is_async: bool = False, **options: Any) -> Any:
        """Return a client of the subscription."""
        credential = self.get_credential(client_class, is_async=is_async)
        return client_class(credential, self.get_settings_value("SUBSCRIPTION_ID"), **options)
