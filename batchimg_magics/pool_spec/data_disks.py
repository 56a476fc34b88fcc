"""Commands that mount the data disks of an image on a node, before the user's own start task."""

from __future__ import annotations

import base64
import re
import shlex
from typing import TYPE_CHECKING, Annotated

from pydantic import BeforeValidator

from batchimg_magics.errors import SpecError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["DEFAULT_MOUNT_PATH", "MountPath", "mount_script", "start_task_to_paste"]

#: Where data disks are mounted on Linux, each in a folder lunN.
DEFAULT_MOUNT_PATH = "/mnt"
_PATH = re.compile(r"(/[A-Za-z0-9_][A-Za-z0-9._-]*)+")
#: Mounts each data disk: {luns} are LUNs, or nothing for all disks; {path} is the folder. It can run again.
#: Names of disks: SCSI, by Azure's udev rules; NVMe, by azure-vm-utils; NVMe without it, where the namespace of a data
#: disk is its LUN + 2. Source: Microsoft's "Identify disks by LUN" and "Azure VM NVMe: FAQ".
_LINUX = r"""
path={path}; luns="{luns}"; azure=/dev/disk/azure; nvme=/sys/block
accelerated() {{ grep -qs "MSFT NVMe Accelerator" "$1/device/model"; }}
disk_of() {{
 for name in $azure/scsi1/lun$1 $azure/data/by-lun/$1; do [ -e "$name" ] && readlink -f "$name" && return; done
 for one in $nvme/nvme*n$(($1 + 2)); do accelerated "$one" && echo "/dev/${{one##*/}}" && return; done
 return 1
}}
every_lun() {{
 for name in $azure/scsi1/lun* $azure/data/by-lun/*; do
  case $name in *-part*|*"*") ;; *) name=${{name##*/}}; echo "${{name#lun}}" ;; esac
 done
 for one in $nvme/nvme*n*; do accelerated "$one" && [ "${{one##*n}}" -gt 1 ] && echo $((${{one##*n}} - 2)); done
}}
[ -n "$luns" ] || luns=$(every_lun | sort -nu)
for lun in $luns; do
 disk=; tries=0
 until disk=$(disk_of "$lun"); do
  tries=$((tries + 1)); [ $tries -lt 60 ] || {{ echo "there is no data disk at LUN $lun" >&2; exit 1; }}; sleep 1
 done
 mkdir -p "$path/lun$lun" || exit 1
 mountpoint -q "$path/lun$lun" && continue
 found=; other=
 for part in $(lsblk -lnpo NAME "$disk"); do
  kind=$(blkid -o value -s TYPE "$part")
  case $kind in "") ;; swap|LVM2_member|crypto_LUKS|linux_raid_member) other=$kind ;; *) found=$part; break ;; esac
 done
 if [ -n "$found" ]; then mount "$found" "$path/lun$lun" || exit 1
 elif [ -n "$other" ]; then echo "the data disk at LUN $lun has $other, and no file system" >&2; exit 1
 else echo "the data disk at LUN $lun is empty" >&2; fi
done
"""
#: Brings data disks online and gives each partition a drive letter. It can run again.
_WINDOWS = """\
$ErrorActionPreference = 'Stop'
$disks = Get-Disk | Where-Object { -not $_.IsBoot -and -not $_.IsSystem }
$disks | Where-Object IsOffline | Set-Disk -IsOffline $false
$disks | Where-Object IsReadOnly | Set-Disk -IsReadOnly $false
$disks | Get-Partition -ErrorAction SilentlyContinue |
 Where-Object { $_.Type -in 'Basic', 'IFS' -and -not [int]$_.DriveLetter } | Add-PartitionAccessPath -AssignDriveLetter
"""


_LINUX_TO_PASTE = (
    "/bin/bash -c 'for l in {luns}; do d=/dev/disk/azure/scsi1/lun$l; [ -e $d ] || d=/dev/disk/azure/data/by-lun/$l; "
    "p=$(ls $d-part1 $d 2>/dev/null | head -1); mkdir -p /mnt/lun$l; "
    "mountpoint -q /mnt/lun$l || mount $p /mnt/lun$l || exit 1; done'"
)
_WINDOWS_TO_PASTE = (
    'powershell -Command "Get-Disk | Where-Object IsOffline | Set-Disk -IsOffline 0; '
    'Get-Disk | Where-Object IsReadOnly | Set-Disk -IsReadOnly 0"'
)


def _parse_path(value: object) -> str | None:
    """Return the folder for mounts; True is the default one."""
    if value in (None, False):
        return None
    path = DEFAULT_MOUNT_PATH if value is True else str(value).rstrip("/")
    if not _PATH.fullmatch(path):
        raise SpecError(
            f"{value!r} is not a folder for data disks",
            hint="use an absolute path of letters, digits, hyphens, underscores and dots, for example /data",
        )
    return path


#: True, or an absolute path on Linux nodes.
MountPath = Annotated[str | None, BeforeValidator(_parse_path)]


def mount_script(os_type: str, path: str, luns: Sequence[int]) -> str:
    """Return the command that mounts data disks, for the shell of the operating system: bash, or cmd.

    Parameters
    ----------
    os_type
        ``Linux`` or ``Windows``, in any case.
    path
        The folder on Linux: each disk is mounted in a folder ``lunN`` in it. On Windows, disks get drive letters.
    luns
        The LUNs of the disks; empty: all disks that are found.
    """
    if os_type.lower() == "windows":
        # Encoded, so that no quotes are needed, which cmd and PowerShell read differently.
        encoded = base64.b64encode(_WINDOWS.encode("utf-16-le")).decode()
        return f"powershell -NoProfile -NonInteractive -EncodedCommand {encoded}"
    return f"( {_linux_script(path, luns)} )"


def start_task_to_paste(os_type: str, luns: Sequence[int]) -> str:
    """Return a short start task that mounts data disks, to be copied."""
    return _WINDOWS_TO_PASTE if os_type.lower() == "windows" else _LINUX_TO_PASTE.format(luns=" ".join(map(str, luns)))


def _linux_script(path: str, luns: Sequence[int]) -> str:
    """Return the script in one line."""
    lines = _LINUX.format(path=shlex.quote(path), luns=" ".join(map(str, luns))).strip().splitlines()
    return " ".join(f"{line.strip()}{'' if line.endswith(_OPEN) else ';'}" for line in lines).removesuffix(";")


#: Ends of lines after which no semicolon is allowed.
_OPEN = ("{", "do", "in", ";;", "then")
