"""What the tests of Azure's SDKs ask of ``devtools_testutils``, the tools of their repository that no registry has.

The tests run live only: they sign in with the variables of the environment, and nothing is recorded or played back. The
names and parameters are those that the tests use; the code is this project's own.
"""

from devtools_testutils.cases import AzureMgmtRecordedTestCase, AzureRecordedTestCase
from devtools_testutils.preparers import (
    AzureMgmtPreparer,
    AzureTestError,
    CachedResourceGroupPreparer,
    EnvironmentVariableLoader,
    FakeResource,
    RandomNameResourceGroupPreparer,
    ResourceGroupPreparer,
    StorageAccountPreparer,
)
from devtools_testutils.recording import (
    add_body_key_sanitizer,
    add_general_regex_sanitizer,
    add_header_regex_sanitizer,
    recorded_by_proxy,
    remove_batch_sanitizers,
    set_custom_default_matcher,
    test_proxy,
    trim_kwargs_from_test_function,
)

__all__ = [
    "AzureMgmtPreparer",
    "AzureMgmtRecordedTestCase",
    "AzureRecordedTestCase",
    "AzureTestError",
    "CachedResourceGroupPreparer",
    "EnvironmentVariableLoader",
    "FakeResource",
    "RandomNameResourceGroupPreparer",
    "ResourceGroupPreparer",
    "StorageAccountPreparer",
    "add_body_key_sanitizer",
    "add_general_regex_sanitizer",
    "add_header_regex_sanitizer",
    "recorded_by_proxy",
    "remove_batch_sanitizers",
    "set_custom_default_matcher",
    "test_proxy",
    "trim_kwargs_from_test_function",
]
