"""The environment variables that direct programs to the emulator."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batchimg_magics.emulator.http import planes, tokens
from batchimg_magics.emulator.serving.certificates import BUNDLE_VARIABLES, NODE_VARIABLE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from batchimg_magics.emulator.serving.certificates import Certificates

#: The client id of the service principal. Credentials are not checked, but sign-in libraries require an id of this
#: form.
_CLIENT = "b1d4c7a0-5e26-4f83-9a17-c0de10ca1a2e"
_SECRET = "anything"  # noqa: S105 - it is not checked
#: Name of the cloud in ``/metadata/endpoints``.
CLOUD = "BatchimgLocal"
#: The hosts that programs reach without a proxy.
DIRECT_HOSTS = ("localhost", "127.0.0.1", "::1")
#: The proxy of each kind of URL. Some programs read only the names in lower case, others only those in upper case.
_PROXY_VARIABLES = ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy")
NO_PROXY_VARIABLES = ("NO_PROXY", "no_proxy")
#: Variables that lead a program past the proxy, or to real identities. Source: azure-identity, Terraform's azurerm.
_FOREIGN = (
    "ALL_PROXY", "AZURE_CLIENT_CERTIFICATE_PATH", "AZURE_CLIENT_CERTIFICATE_PASSWORD",
    "AZURE_FEDERATED_TOKEN_FILE", "AZURE_USERNAME", "AZURE_PASSWORD", "AZURE_AD_USER", "AZURE_CLOUD_ENVIRONMENT",
    "AZURE_POD_IDENTITY_AUTHORITY_HOST", "AZURE_PROFILE", "AZURE_REGIONAL_AUTHORITY_NAME", "AZURE_TOKEN_CREDENTIALS",
    "AZURE_BATCH_ACCESS_KEY", "IDENTITY_ENDPOINT", "IDENTITY_HEADER", "IDENTITY_SERVER_THUMBPRINT", "IMDS_ENDPOINT",
    "MSI_ENDPOINT", "MSI_SECRET", "ARM_CLIENT_CERTIFICATE_PATH", "ARM_CLIENT_CERTIFICATE", "ARM_ENVIRONMENT",
    "ARM_METADATA_HOSTNAME", "ARM_METADATA_HOST", "ARM_MSI_ENDPOINT", "ARM_OIDC_TOKEN", "ARM_OIDC_TOKEN_FILE_PATH",
    "ARM_USE_MSI", "ARM_USE_OIDC", "ARM_CLOUD_METADATA_URL",
)  # fmt: skip


def server_variables(
    url: str, *, subscription: str, account: str, trusted: Certificates | None, existing: Mapping[str, str]
) -> dict[str, str]:
    """Return the variables that direct programs to the URL of the server, without those for `NO_PROXY`.

    Parameters
    ----------
    url
        Of the server.
    subscription, account
        The subscription id, and the name of the Batch account.
    trusted
        The authorities to trust; None for plain HTTP.
    existing
        The environment of the programs.
    """
    return {
        "AZURE_AUTHORITY_HOST": url,
        **_identity(subscription),
        "AZURE_RESOURCE_MANAGER": url,
        "AZURE_BATCH_ACCOUNT": account,
        "AZURE_BATCH_ENDPOINT": f"{url}/{account}",
        "ARM_CLOUD_METADATA_URL": f"{url}/metadata/endpoints?api-version=2019-05-01",  # the form that `az` reads
        "AZURE_CORE_INSTANCE_DISCOVERY": "false",
        **_trust(trusted, existing),
    }


def proxied_environment(
    proxy: str,
    *,
    subscription: str,
    account: str,
    region: str,
    trusted: Certificates | None,
    existing: Mapping[str, str],
) -> dict[str, str]:
    """Return the environment of a program that uses Azure's own host names, through a proxy.

    Nothing in it leads past the proxy: `NO_PROXY` is replaced, because the hosts in it are often Azure's.

    Parameters
    ----------
    proxy
        URL of the proxy.
    subscription, account, region
        The subscription id, and the name and the region of the Batch account.
    trusted
        The authorities to trust.
    existing
        The environment to change.
    """
    manager, login = f"https://{planes.ARM_HOST}", f"https://{planes.LOGIN_HOST}"
    identity = _identity(subscription)
    return {
        **{name: value for name, value in existing.items() if name.upper() not in _FOREIGN},
        **dict.fromkeys(_PROXY_VARIABLES, proxy),
        **dict.fromkeys(NO_PROXY_VARIABLES, ",".join(DIRECT_HOSTS)),
        "NODE_USE_ENV_PROXY": "1",  # Node.js 24 and later: its own clients use the proxy
        **identity,
        **{f"ARM_{name}": identity[f"AZURE_{name}"] for name in _TERRAFORM},
        "AZURE_SECRET": _SECRET,  # the names of Ansible
        "AZURE_TENANT": tokens.TENANT,
        "AZURE_AUTHORITY_HOST": login,
        "AZURE_RESOURCE_MANAGER": manager,
        "AZURE_BATCH_ACCOUNT": account,
        "AZURE_BATCH_ENDPOINT": f"https://{account}.{region}{planes.BATCH_SUFFIX}",
        "AZURE_CORE_COLLECT_TELEMETRY": "false",  # it has a host that the emulator does not have
        **_trust(trusted, existing),
    }


#: Terraform has names of its own for these.
_TERRAFORM = ("TENANT_ID", "CLIENT_ID", "CLIENT_SECRET", "SUBSCRIPTION_ID")


def _identity(subscription: str) -> dict[str, str]:
    return {
        "AZURE_TENANT_ID": tokens.TENANT,
        "AZURE_CLIENT_ID": _CLIENT,
        "AZURE_CLIENT_SECRET": _SECRET,
        "AZURE_SUBSCRIPTION_ID": subscription,
    }


def _trust(trusted: Certificates | None, existing: Mapping[str, str]) -> dict[str, str]:
    """Return the variables with the authorities. Node.js adds its file to its own authorities, so it needs only one."""
    if trusted is None:
        return {}
    bundle = str(trusted.bundle)
    extra = bundle if existing.get(NODE_VARIABLE) not in (None, "", str(trusted.authority)) else str(trusted.authority)
    return {**dict.fromkeys(BUNDLE_VARIABLES, bundle), NODE_VARIABLE: extra}
