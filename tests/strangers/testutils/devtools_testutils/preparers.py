"""Preparers: decorators that make a resource before a test, give it to the test, and delete it afterwards."""

from __future__ import annotations

import inspect
import os
from typing import TYPE_CHECKING, Any, NamedTuple

from devtools_testutils.cases import AzureMgmtRecordedTestCase
from devtools_testutils.names import random_name
from devtools_testutils.resource_testcase import RESOURCE_GROUP_PARAM

if TYPE_CHECKING:
    from collections.abc import Callable


class FakeResource(NamedTuple):
    """The name and the id of a resource."""

    name: str
    id: str


class AzureTestError(Exception):
    """A preparer has not got what it needs."""


class AzureMgmtPreparer(AzureMgmtRecordedTestCase):
    """Make one resource around a test.

    Parameters
    ----------
    name_prefix
        Of the resource's name.
    random_name_length
        Length of the name.
    """

    def __init__(self, name_prefix: str = "", random_name_length: int = 24, **_: Any) -> None:
        self.name_prefix = name_prefix
        self.random_name_length = random_name_length
        self.moniker = name_prefix
        self.client: Any = None

    def create_resource(self, name: str, **arguments: Any) -> dict[str, Any]:
        """Make the resource, and return what the test gets of it."""
        raise NotImplementedError

    def remove_resource(self, name: str, **arguments: Any) -> None:
        """Delete the resource."""

    def __call__(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return the test between making and deleting."""

        def run(case: Any, **arguments: Any) -> Any:
            name = random_name(self.name_prefix, self.random_name_length)
            made = arguments | self.create_resource(name, **arguments)
            try:
                return function(case, **made)
            finally:
                self.remove_resource(name, **made)

        async def run_async(case: Any, **arguments: Any) -> Any:
            name = random_name(self.name_prefix, self.random_name_length)
            made = arguments | self.create_resource(name, **arguments)
            try:
                return await function(case, **made)
            finally:
                self.remove_resource(name, **made)

        wrapper: Any = run_async if inspect.iscoroutinefunction(function) else run
        wrapper.__name__ = function.__name__
        wrapper.__doc__ = function.__doc__
        wrapper.__signature__ = inspect.signature(function)
        wrapper.pytestmark = getattr(function, "pytestmark", [])
        return wrapper


class ResourceGroupPreparer(AzureMgmtPreparer):
    """Make a resource group."""

    def __init__(self, name_prefix: str = "rg", *, location: str = "westus", **_: Any) -> None:
        super().__init__(name_prefix)
        self.location = location

    def create_resource(self, name: str, **_: Any) -> dict[str, Any]:
        """Make the group, and return it with its location."""
        from azure.mgmt.resource.resources import ResourceManagementClient

        self.client = self.create_mgmt_client(ResourceManagementClient)
        group = self.client.resource_groups.create_or_update(name, {"location": self.location})
        return {RESOURCE_GROUP_PARAM: group, "location": self.location}

    def remove_resource(self, name: str, **_: Any) -> None:
        """Delete the group and what is in it."""
        self.client.resource_groups.begin_delete(name).wait()


RandomNameResourceGroupPreparer = ResourceGroupPreparer
CachedResourceGroupPreparer = ResourceGroupPreparer


class StorageAccountPreparer(AzureMgmtPreparer):
    """Name a storage account. Storage is another service, which the emulator has not got."""

    def __init__(self, name_prefix: str = "", **_: Any) -> None:
        super().__init__(name_prefix)

    def create_resource(self, name: str, **arguments: Any) -> dict[str, Any]:
        """Return the name of an account that is not there."""
        group = arguments[RESOURCE_GROUP_PARAM]
        account = FakeResource(name, f"{group.id}/providers/Microsoft.Storage/storageAccounts/{name}")
        return {"storage_account": account, "storage_account_key": ""}


class EnvironmentVariableLoader(AzureMgmtPreparer):
    """Give a test the values of variables of the environment, or the values that it names instead."""

    def __init__(self, _directory: str, **values: str) -> None:
        super().__init__()
        self.values = values

    def create_resource(self, _name: str, **_: Any) -> dict[str, Any]:
        """Return the values."""
        return {name: os.environ.get(name.upper(), value) for name, value in self.values.items()}
