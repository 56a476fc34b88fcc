"""A Packer template (HCL2) for an image that this tool can use with the account.

Source: Packer's azure-arm builder: a managed image straight from Packer is for accounts that allocate in the user's
subscription only; for other accounts it creates a gallery image version or a VHD.
"""

from __future__ import annotations

import json
from string import Template
from typing import TYPE_CHECKING

from batchimg_magics.core.azure.documents import dig
from batchimg_magics.core.base.table import Table
from batchimg_magics.core.batch import node_agents
from batchimg_magics.errors import SpecError
from batchimg_magics.masking import make_visible
from batchimg_magics.pool_spec.line import magic_word, shell_word
from batchimg_magics.pool_spec.values import suggest_name

if TYPE_CHECKING:
    from collections.abc import Mapping

    from batchimg_magics.core.azure.client import Azure
    from batchimg_magics.core.azure.documents import Json

__all__ = ["ENDS", "GENERATIONS", "SYSTEMS", "make_template"]

#: The possible results of a template.
ENDS = ("gallery", "vhd", "managed-image")
SYSTEMS = ("Linux", "Windows")
GENERATIONS = ("V1", "V2")
#: The capability of generation 2 in Batch's list of supported images. Source: recordings.
_SECOND = "Generation2VMImage"
#: A VM size for each architecture that supports all of its generations.
_SIZES = {"x64": "Standard_D4s_v3", "Arm64": "Standard_D4ps_v5"}
#: The publisher of the default base image.
_PUBLISHERS = {"Linux": "canonical", "Windows": "microsoftwindowsserver"}
_TEMPLATE = Template("""\
# packer init . && packer build $name.pkr.hcl
# then: $next
# Generation $generation: $why
$before
packer {
  required_plugins {
    azure = {
      source  = "github.com/hashicorp/azure"
      version = ">= 2.0.0"
    }
  }
}

source "azure-arm" "$name" {
  use_azure_cli_auth = true
  subscription_id    = "$subscription"
  location           = "$region"
  vm_size            = "$size"
  os_type            = "$os_type"
  image_publisher    = "$publisher"
  image_offer        = "$offer"
  image_sku          = "$sku"
$tags$access
$end
}

build {
  sources = ["source.azure-arm.$name"]

  # Install here what every node needs.
$install

  # Generalize the VM. This must be the last step.
$deprovision
}
""")
_ACCESS = {
    "Linux": "",
    "Windows": """\
  communicator       = "winrm"
  winrm_username     = "packer"
  winrm_use_ssl      = true
  winrm_insecure     = true
  winrm_timeout      = "10m"
""",
}
_INSTALL = {
    "Linux": """\
  provisioner "shell" {
    inline = ["sudo apt-get update"]
  }""",
    "Windows": """\
  provisioner "powershell" {
    inline = ["Write-Output 'nothing yet'"]
  }""",
}
#: Source: the azure-arm builder's document, "Deprovision".
_DEPROVISION = {
    "Linux": """\
  provisioner "shell" {
    execute_command = "chmod +x {{ .Path }}; {{ .Vars }} sudo -E sh '{{ .Path }}'"
    inline          = ["/usr/sbin/waagent -force -deprovision+user && export HISTSIZE=0 && sync"]
    inline_shebang  = "/bin/sh -x"
  }""",
    "Windows": r"""  provisioner "powershell" {
    inline = [
      "& $env:SystemRoot\\System32\\Sysprep\\Sysprep.exe /oobe /generalize /quiet /quit",
      "$key = 'HKLM:\\SOFTWARE\\Microsoft\\Windows\\CurrentVersion\\Setup\\State'",
      "$done = 'IMAGE_STATE_GENERALIZE_RESEAL_TO_OOBE'",
      "while ((Get-ItemProperty $key).ImageState -ne $done) { Start-Sleep -Seconds 10 }",
    ]
  }""",
}
_END = {
    "gallery": Template("""\
  shared_image_gallery_destination {
    subscription   = "$subscription"
    resource_group = "$group"
    gallery_name   = "images"
    image_name     = "$name"
    image_version  = "1.0.0"
    target_region {
      name     = "$region"
      replicas = 1
    }
  }"""),
    "vhd": Template("""\
  # A storage account in this region and resource group.
  resource_group_name    = "$group"
  storage_account        = "STORAGE_ACCOUNT"
  capture_container_name = "vhds"
  capture_name_prefix    = "$name\""""),
    "managed-image": Template("""\
  managed_image_resource_group_name = "$group"
  managed_image_name                = "$name\""""),
}
_PREPARATION = Template("""\
# Run once before: create the gallery and the image definition.
#   az sig create -g $group_word --gallery-name images
#   az sig image-definition create -g $group_word -r images -i $name --os-type $os_type --os-state Generalized \\
#     --hyper-v-generation $generation --architecture $architecture --features SecurityType=Standard \\
#     --publisher packer --offer $os_type --sku $name
""")
#: The options of `create` for the result of a template.
_NEXT = {
    "gallery": Template("--from-version $version_id"),
    "vhd": Template(
        "--from-vhd URL --os-type $os_type --generation $generation --architecture $architecture --generalized"
    ),
    "managed-image": Template("--from-image $image_id"),
}


async def make_template(
    azure: Azure, name: str, *, os_type: str, base: str | None, end: str, generation: str | None = None
) -> Table:
    """Return a table with one row about a template; the template is ``text`` in its attrs.

    Parameters
    ----------
    azure, name
        The connection, and the name of the image.
    os_type
        ``Linux`` or ``Windows``.
    base
        publisher:offer:sku of the Marketplace image; None: one that Batch supports.
    end
        One of `ENDS`.
    generation
        The generation of the base, one of `GENERATIONS`; None: as in Batch's list of supported images.

    Raises
    ------
    SpecError
        The account's pools cannot use such an image, or Batch does not support the base.
    """
    account = await azure.account()
    mode = str(dig(account, "properties", "poolAllocationMode"))
    if end == "managed-image" and mode != "UserSubscription":
        raise SpecError(
            f"account {azure.scope.account!r} uses pool allocation mode {mode}: its pools take no Packer managed image",
            hint="use --to gallery (recommended), or --to vhd with `create --from-vhd`",
        )
    client = await azure.batch()
    images = await azure.list_documents(client.list_supported_images())
    chosen = _choose_base_image(images, os_type, base, generation)
    if end == "managed-image" and _architecture(chosen) != "x64":
        raise SpecError(
            f"{_image_name(chosen)} is for Arm64, and managed images support x64 only", hint="use --to gallery"
        )
    words = _template_values(azure, name, os_type, chosen) | _generation(chosen, generation)
    words |= {"region": _inside(await azure.region())}
    words |= {"next": f"%batchimg create POOL {_NEXT[end].substitute(words)} --vm-size SIZE --nodes N"}
    text = template(words, end)
    row = {
        "file": f"{name}.pkr.hcl",
        "lines": text.count("\n"),
        "allocation_mode": mode,
        "ends_in": end,
        "base": _image_name(chosen),
        "generation": words["generation"],
        "next": words["next"],
    }
    return Table.from_rows("packer", [row], f"a Packer template for account {azure.scope.account}", text=text)


def _template_values(azure: Azure, name: str, os_type: str, base: Json) -> dict[str, str]:
    """Return the values of a template that do not depend on the region and the generation."""
    scope = azure.scope
    publisher, offer, sku = _parts(base)
    architecture = _architecture(base)
    return {
        "name": name,
        "subscription": _inside(scope.subscription),
        "group": _inside(scope.resource_group),
        "group_word": shell_word(scope.resource_group),
        "image_id": magic_word(scope.compute_id(("images", name))),
        "version_id": magic_word(scope.compute_id(("galleries", "images"), ("images", name), ("versions", "1.0.0"))),
        "os_type": os_type,
        "publisher": _inside(publisher),
        "offer": _inside(offer),
        "sku": _inside(sku),
        "architecture": architecture,
        "size": _SIZES[architecture],
        "access": _ACCESS[os_type],
        "tags": _tags(azure.resource_tags),
        "install": _INSTALL[os_type],
        "deprovision": _DEPROVISION[os_type],
    }


def _tags(resource_tags: Mapping[str, str]) -> str:
    """Return the setting for the tags of what Packer creates; empty for none."""
    if not resource_tags:
        return ""
    rows = "".join(f"    {_hcl(name)} = {_hcl(value)}\n" for name, value in resource_tags.items())
    return f"  azure_tags = {{\n{rows}  }}\n"


def _hcl(text: str) -> str:
    """Return a text as a string of HCL, where ``${`` and ``%{`` begin a template."""
    return json.dumps(text, ensure_ascii=False).replace("${", "$${").replace("%{", "%%{")


def _inside(text: str) -> str:
    """Return a text of the service for a place between the quotes of a string."""
    return _hcl(make_visible(text))[1:-1]


def _generation(base: Json, asked: str | None) -> dict[str, str]:
    """Return the generation of a base image, and the reason for it."""
    if asked is not None:
        return {"generation": asked, "why": "given by --generation"}
    if _is_generation_2(base):
        return {"generation": "V2", "why": f"Batch's list of supported images has {_SECOND}"}
    return {
        "generation": "V1",
        "why": f"Batch's list of supported images does not have {_SECOND}; if that is wrong, add --generation V2",
    }


def template(words: Mapping[str, str], end: str) -> str:
    """Return the template for a result of `ENDS`."""
    before = _PREPARATION.substitute(words) if end == "gallery" else ""
    return _TEMPLATE.substitute(words, before=before, end=_END[end].substitute(words))


def _choose_base_image(images: list[Json], os_type: str, asked: str | None, generation: str | None) -> Json:
    """Return the base image: the given one, or a verified one that Batch supports longest."""
    of_system = {_image_name(one): one for one in images if str(one.get("osType")).lower() == os_type.lower()}
    if asked is not None:
        known = {name.lower(): one for name, one in of_system.items()}
        if asked.lower() not in known:
            raise SpecError(
                f"Batch does not support {asked!r} as a base for {os_type}", hint=suggest_name(asked, of_system)
            )
        return known[asked.lower()]
    verified = [one for one in of_system.values() if one.get("verificationType") == "verified"]
    wanted = generation or "V2"  # newer sizes support V2 only

    def fitness(one: Json) -> tuple[bool, bool, str, bool, str]:
        publisher, offer, sku = _parts(one)
        until = str(one.get("batchSupportEndOfLife") or "")
        fits = _architecture(one) == "x64" and _is_generation_2(one) == (wanted == "V2")
        return publisher.lower() == _PUBLISHERS[os_type], not until, until, fits, f"{offer}:{sku}"

    return max(verified, key=fitness)


def _parts(supported: Json) -> tuple[str, str, str]:
    publisher, offer, sku = (str(dig(supported, "imageReference", key)) for key in ("publisher", "offer", "sku"))
    return publisher, offer, sku


def _image_name(supported: Json) -> str:
    return ":".join(_parts(supported))


def _is_generation_2(supported: Json) -> bool:
    """Tell whether an image is of generation 2; for some, only the SKU's name has it. Source: recordings."""
    return _SECOND in (supported.get("capabilities") or ()) or "gen2" in _parts(supported)[2].lower()


def _architecture(supported: Json) -> str:
    """Return an image's architecture, from the name of its node agent. Source: recordings."""
    return node_agents.architecture_of(str(supported.get("nodeAgentSKUId")))
