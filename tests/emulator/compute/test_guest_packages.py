"""The packages of VMs: what the package managers list, how it travels with disks, and what changes it."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from batchimg_magics.core.base.package_list import Package, PackageList
from batchimg_magics.core.base.package_scripts import IMAGE_PATHS, list_script, read_report
from batchimg_magics.emulator.compute.guest.system import SystemFacts, set_system
from batchimg_magics.emulator.http.scenarios import set_scenario
from tests.support.compute_emulator import NETWORK, ComputeEmulator, copy_of, resource

ALMA = {"publisher": "almalinux", "offer": "almalinux-x86_64", "sku": "9-gen2"}
DEBIAN = {"publisher": "Debian", "offer": "debian-12", "sku": "12-gen2"}
MANAGED = "--break-system-packages"


def ran(compute: ComputeEmulator, *lines: str, name: str = "desk-vm", advance_s: float = 900) -> tuple[str, str]:
    """Run a shell script in a VM, and return what it printed to its two streams."""
    body = {"commandId": "RunShellScript", "script": [*lines]}
    response = compute.ask("POST", f"virtualMachines/{name}/runCommand", body)
    assert response.status == 202, response.body
    compute.clock.advance(advance_s)
    done = compute.ask("GET", response.headers["Azure-AsyncOperation"]).body
    assert done["status"] == "Succeeded"
    (result,) = done["properties"]["output"]["value"]
    out, _, err = result["message"].removeprefix("Enable succeeded: \n[stdout]\n").partition("\n[stderr]\n")
    return out, err


def machine(compute: ComputeEmulator, name: str, image: Any = None, disk: str = "") -> None:
    storage: dict[str, Any] = {"imageReference": image, "osDisk": {"createOption": "FromImage", "name": f"{name}-os"}}
    if disk:
        managed = {"id": resource(f"disks/{disk}")}
        storage = {"osDisk": {"createOption": "Attach", "osType": "Linux", "managedDisk": managed}}
    properties = {
        "hardwareProfile": {"vmSize": "Standard_D2s_v5"},
        "storageProfile": storage,
        "networkProfile": {"networkInterfaces": [{"id": compute.nic(f"{name}-nic")}]},
    }
    if image:
        properties["osProfile"] = {"adminUsername": "me", "adminPassword": "not-a-secret-1"}
    compute.make(f"virtualMachines/{name}", properties)


@pytest.fixture(scope="module")
def shared() -> ComputeEmulator:
    compute = ComputeEmulator()
    machine(compute, "alma", ALMA)
    machine(compute, "debian", DEBIAN)
    return compute


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("dpkg-query -W -f='${binary:Package} ${Version} ${Architecture}\\n' | grep '^zlib1g'",
         "zlib1g:amd64 1:1.3.dfsg-3.1ubuntu2.1 amd64\n"),
        ("dpkg-query --show --showformat '${Package}|${source:Package}|${db:Status-Abbrev}|${None}\\n' libhts3t64",
         "libhts3t64|htslib|ii |\n"),
        ("dpkg-query -W nosuch* || echo $?", "1\n"),
        ("dpkg-query -f '${Package}\\n' -W | wc -l; dpkg -l | grep -c '^ii'", "69\n67\n"),
        ("dpkg --get-selections | awk '$2 != \"install\"'",
         "linux-image-6.8.0-1021-azure\t\t\tdeinstall\nmummer\t\t\t\t\t\thold\n"),
        ("apt list --installed 2>/dev/null | grep ^bwa/", "bwa/noble,now 0.7.17-7+b2build1 amd64 [installed]\n"),
        ("apt-cache policy tree | sed -n 2p", "  Installed: (none)\n"),
        ("pip list --format=freeze | sed -n '/^scikit/p'", "scikit_learn==1.5.2\n"),
        ("pip3 freeze | grep -e labtools -e ^pip= -e torch", "labtools @ file:///opt/lab/labtools\ntorch==2.4.1+cpu\n"),
        ("python3 -m pip list --format json | tr ',' '\\n' | tail -1", ' "version": "0.42.0"}]\n'),
        ("command -v conda || ls /opt; /opt/conda/bin/conda env list | awk '/envs/ {print $1}'", "conda\ngenomics\n"),
        ("/opt/conda/bin/conda list -n genomics | awk '$4 == \"pypi\" {print $1, $2}'", "multiqc 1.25.1\n"),
        ("PATH=/opt/conda/bin:$PATH; conda list --export | tail -1", "python=3.12.6=hc5c86c4_1_cpython\n"),
        (". /opt/conda/etc/profile.d/conda.sh; conda activate genomics; pip list | wc -l", "4\n"),
        ("/opt/conda/bin/conda list -p /opt/none || echo $?", "1\n"),
        ("command -v rpm || rpm -qa || echo $?", "127\n"),
        (". /etc/os-release; echo $ID $VERSION_ID", "ubuntu 24.04\n"),
    ],
)  # fmt: skip
def test_managers_of_ubuntu_list_what_is_installed(shared: ComputeEmulator, line: str, found: str) -> None:
    assert ran(shared, line)[0] == found


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("rpm -qa | grep -e bind -e b86b", "bind-license-9.16.23-29.el9_6.noarch\ngpg-pubkey-b86b3716-61e69f29\n"),
        ("rpm -qa --qf '%{NAME}\\t%{EPOCH}:%{VERSION}-%{RELEASE}\\t%{ARCH}\\n' tar zlib gpg-pubkey | sort | tail -2",
         "tar\t2:1.34-7.el9\tx86_64\nzlib\t(none):1.2.11-40.el9\tx86_64\n"),
        ("rpm -qa --queryformat='%{NAME}=%|EPOCH?{%{EPOCH}:}:{}|%{VERSION}\\n' | grep -e tar= -e ^sed",
         "sed=4.8\ntar=2:1.34\n"),
        ("rpm -q --qf '%-8{NAME}|%{EPOCHNUM}\\n' bash kernel", "bash    |0\nkernel  |0\nkernel  |0\n"),
        ("rpm -q nosuch bash || echo $?", "package nosuch is not installed\nbash-5.1.8-9.el9.x86_64\n1\n"),
        ("dnf list installed | awk '/^tar/ {print $1, $2, $3}'", "tar.x86_64 2:1.34-7.el9 @baseos\n"),
        ("pip3 list || echo $?; command -v dpkg-query apt-get; python3 -m pip list || echo $?", "127\n1\n"),
        ("sudo dnf -y install tree && rpm -q tree; yum -q -y remove tree >/dev/null; rpm -q tree | tail -1",
         "Installed:\n  tree\n\nComplete!\ntree-1.8.0-10.el9.x86_64\npackage tree is not installed\n"),
        ("dnf upgrade </dev/null; echo $?", "Is this ok [y/N]: \n\n1\n"),
    ],
)  # fmt: skip
def test_rpm_lists_what_is_installed(shared: ComputeEmulator, line: str, found: str) -> None:
    assert ran(shared, line, name="alma")[0] == found.replace("\n\n1", "\n1")


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ("ip <- installed.packages()[,c(1,3)]; write.table(ip, sep='\\t', quote=FALSE, row.names=F, col.names=F)",
         "base\t4.3.3\nboot\t1.3-30\n"),
        ("x <- installed.packages(); cat(paste(x[,'Package'], x[,'LibPath']), sep='\\n')",
         "base /usr/lib/R/library\nboot /usr/lib/R/library\n"),
        ("for (p in rownames(installed.packages())) cat(sprintf('r-%s-\\n', p))", "r-base-\nr-boot-\n"),
        ("write.csv(as.data.frame(installed.packages()[, c('Package', 'Version')]), row.names = FALSE)",
         '"Package","Version"\n"base","4.3.3"\n'),
        ("invisible(1); writeLines(as.character(packageVersion('survival')))", "3.5-8\n"),
    ],
)  # fmt: skip
def test_r_lists_what_is_installed(shared: ComputeEmulator, code: str, found: str) -> None:
    assert ran(shared, f'Rscript -e "{code}" | head -2')[0] == found


def test_r_installs_what_its_repository_has(shared: ComputeEmulator) -> None:
    out, err = ran(shared, "Rscript -e 'install.packages(\"jsonlite\")' -e 'install.packages(\"none\")'; echo $?")
    assert out == "0\n"  # a warning
    assert "package \u2018none\u2019 is not available" in err
    listed = ran(shared, "Rscript - <<'R'\nx <- installed.packages()\ncat(x[x[,1] == 'jsonlite', 'Version'])\nR")[0]
    assert listed.startswith("1.8.")
    assert ran(shared, "Rscript -e 'packageVersion(\"none\")'; echo $?")[0] == "1\n"
    assert ran(shared, "Rscript -e 1; echo $?", name="alma")[0] == "127\n"


def test_systems_have_lists_of_their_own(shared: ComputeEmulator) -> None:
    assert ran(shared, "dpkg-query -W libc6 tzdata; pip list; echo $?", name="debian") == (
        "libc6:amd64\t2.36-9+deb12u10\ntzdata\t2025b-0+deb12u1\n127\n",
        "/var/lib/waagent/run-command/download/0/script.sh: 1: pip: not found\n",
    )


# -- what changes them -------------------------------------------------------------------------------------------


def test_changes_of_packages_are_what_the_managers_list_then() -> None:
    compute = ComputeEmulator()
    before = ran(compute, "dpkg-query -W")[0]
    out, err = ran(
        compute, "apt-get update >/dev/null", "apt-get install tree", "echo $?", "apt-get -y install nosuch", "echo $?"
    )
    assert out.endswith(
        "Abort.\n1\nReading package lists...\nBuilding dependency tree...\nReading state information...\n100\n"
    )
    assert err == "E: Unable to locate package nosuch\n"
    assert ran(compute, "dpkg-query -W")[0] == before
    ran(compute, "export DEBIAN_FRONTEND=noninteractive", "apt-get -y -qq upgrade")
    after = ran(compute, "dpkg-query -W")[0]
    changed = {line.split("\t")[0] for line in set(after.splitlines()) - set(before.splitlines())}
    assert {"adduser", "apt"} <= changed
    assert not {"mummer", "linux-image-6.8.0-1021-azure"} & changed  # held, and removed
    assert ran(compute, "apt-get -y upgrade | tail -1")[0].startswith("0 upgraded, 0 newly installed")
    compute.clock.advance(400 * 86_400)
    assert " upgraded" in ran(compute, "apt-get -y upgrade | grep newly")[0]
    assert ran(compute, "dpkg-query -W")[0] != after

    ran(compute, "apt-get -y install python3-numpy", "apt-get -y purge tmux", "apt install -y tree")
    listed = ran(compute, "dpkg-query -W -f='${Package} ' python3-numpy libopenblas0-pthread tree tmux")
    assert listed == ("libopenblas0-pthread python3-numpy tree ", "dpkg-query: no packages found matching tmux\n")
    assert "externally-managed-environment" in ran(compute, "pip install cowsay || echo $?")[1]
    ran(compute, f"pip install {MANAGED} cowsay numpy==2.0.0", f"pip uninstall -y {MANAGED} Scikit-Learn")
    found = ran(compute, "pip list --format=freeze | grep -i -e cowsay -e numpy -e scikit")[0]
    assert "numpy==2.0.0\n" in found
    assert found.count("\n") == 2
    conda = "/opt/conda/bin/conda"
    ran(compute, f"{conda} install -y -n genomics seqkit samtools=1.22; {conda} remove -y -n genomics bedtools")
    found = ran(compute, f"{conda} list -n genomics -e | grep -e seqkit -e ^samtools -e bedtools | cut -d= -f1,2")[0]
    assert found.startswith("samtools=1.22\nseqkit=2.8.")


def test_a_version_of_a_package_can_be_chosen_if_the_repository_has_it() -> None:
    compute = ComputeEmulator()
    newest = ran(compute, "apt-cache policy samtools | awk '/Candidate/ {print $2}'")[0].strip()
    assert (
        ran(compute, f"apt-get install -y samtools={newest} >/dev/null; dpkg-query -W samtools")[0]
        == f"samtools\t{newest}\n"
    )
    assert "E: Version '9' for 'samtools' was not found" in ran(compute, "apt-get install -y samtools=9")[1]


# -- disks, images -----------------------------------------------------------------------------------------------


def test_packages_and_files_travel_with_the_disk() -> None:
    compute = ComputeEmulator()
    compute.snapshot("before", "desk-vm_OsDisk_1")
    ran(compute, "apt-get -y install tree; mkdir -p /var/lib/lab; dpkg-query -W > /var/lib/lab/list; echo a > /tmp/a")
    listed = ran(compute, "ls /var/lib/lab; cat /tmp/a")
    assert listed == ("list\n", "cat: /tmp/a: No such file or directory\n")  # nothing stays in /tmp
    compute.snapshot("os", "desk-vm_OsDisk_1")
    for name in ("before", "os"):
        compute.make(f"disks/{name}-copy", {"creationData": copy_of(f"snapshots/{name}")})
        machine(compute, f"{name}-vm", disk=f"{name}-copy")
    assert ran(compute, "dpkg -l tree >/dev/null || echo none; cat /var/lib/lab/list", name="before-vm")[0] == "none\n"
    there = ran(compute, "dpkg-query -W -f='${Package}' tree; test -f /var/lib/lab/list && echo there", name="os-vm")
    assert there == ("treethere\n", "")
    ran(compute, "apt-get -y purge tree; rm -r /var/lib/lab", name="os-vm")
    assert ran(compute, "ls /var/lib/lab", name="desk-vm")[0] == "list\n"  # the source stays as it was


def test_a_version_has_the_content_of_its_source_and_so_have_its_vms() -> None:
    compute = ComputeEmulator()
    ran(
        compute,
        "apt-get -y install tree; echo kept > /var/lib/list; echo gone > /var/lib/waagent/note",
        "echo a > /home/researcher/b",
    )
    compute.ask(
        "POST",
        "virtualMachines/desk-vm/runCommand",
        {"commandId": "RunShellScript", "script": ["waagent -deprovision+user -force"]},
    )
    compute.clock.advance(600)
    compute.snapshot("os", "desk-vm_OsDisk_1")
    compute.definition()
    compute.version()
    image = {"id": resource("galleries/lab/images/tools/versions/1.0.0")}
    machine(compute, "made", image)
    text = ran(
        compute,
        "cat /var/lib/list /var/lib/waagent/note /home/researcher/b; dpkg-query -W -f '${Package}' tree",
        name="made",
    )
    assert text[0] == "kept\ntree"
    assert text[1].count("No such file") == 2
    compute.make("disks/again", {"creationData": {"createOption": "FromImage", "galleryImageReference": image}})
    machine(compute, "attached", disk="again")
    assert ran(compute, "cat /var/lib/list", name="attached")[0] == "kept\n"


def test_the_packages_of_a_version_can_be_set() -> None:
    compute = ComputeEmulator()
    compute.snapshot("os", "gen1-vm_OsDisk_1")
    compute.definition(generation="V1")
    compute.version()
    version = compute.store.get(resource("galleries/lab/images/tools/versions/1.0.0"))
    assert version is not None
    facts = SystemFacts(packages={"dpkg": {"samtools": "1.18-1", "curl": None, "libc6": "2.38-1"}})
    set_system(compute.store, version, facts, compute.clock.now())
    machine(compute, "made", {"id": version.doc["id"]})
    listed = ran(compute, "dpkg-query -W samtools curl libc6 bash", name="made")
    assert listed[0] == "bash\t5.2.21-2ubuntu4\nlibc6:amd64\t2.38-1\nsamtools\t1.18-1\n"


def test_the_state_grows_by_a_text_once() -> None:
    compute = ComputeEmulator()
    text = "x" * 40_000
    ran(compute, f"printf %s {text} > /var/lib/big; sha256sum /var/lib/big")
    for name in ("one", "two"):
        compute.snapshot(name, "desk-vm_OsDisk_1")
    held = [item for item in compute.store.all_items() if text in str(item.doc) + str(item.hidden)]
    assert [item.key for item in held] == [f"/guestfiles/{hashlib.sha256(text.encode()).hexdigest()}"]


# -- what fails --------------------------------------------------------------------------------------------------


def test_without_a_way_out_nothing_is_installed() -> None:
    compute = ComputeEmulator()
    rules = [
        ("azure", 100, "Allow", "AzureCloud"),
        ("rest", 200, "Deny", "*"),
    ]
    security = [
        {
            "name": name,
            "properties": {
                "priority": priority, "access": access, "direction": "Outbound", "protocol": "*",
                "sourcePortRange": "*",
                "destinationPortRange": "*", "sourceAddressPrefix": "*", "destinationAddressPrefix": prefix,
            },
        }
        for name, priority, access, prefix in rules
    ]  # fmt: skip
    group = f"{NETWORK}/networkSecurityGroups/fence"
    compute.make(group, {"securityRules": security})
    nic = f"{NETWORK}/networkInterfaces/desk-vm-nic"
    document = compute.ask("GET", nic).body
    compute.make(nic, document["properties"] | {"networkSecurityGroup": {"id": group}})
    out, err = ran(
        compute, "apt-get update; echo $?", "apt-get -y install tree; echo $?", f"pip install {MANAGED} cowsay; echo $?"
    )
    assert [line for line in out.splitlines() if line.isdigit()] == ["0", "100", "1"]
    assert "W: Failed to fetch http://azure.archive.ubuntu.com" in err
    assert "Could not connect to azure.archive.ubuntu.com:80" in err
    assert "E: Unable to fetch some archives, maybe run apt-get update or try with --fix-missing?" in err
    assert "ERROR: No matching distribution found for cowsay" in err
    assert ran(compute, "dpkg -l tree")[1].startswith("dpkg-query: no packages found")


def test_the_lock_of_dpkg_is_held_shortly_after_a_start() -> None:
    compute = ComputeEmulator()
    compute.ask("POST", "virtualMachines/desk-vm/restart")
    compute.clock.advance(45)
    out, err = ran(compute, "apt-get -y install tree; echo $?", advance_s=20)
    assert out == "100\n"
    assert err.startswith("E: Could not get lock /var/lib/dpkg/lock-frontend. It is held by process ")
    compute.ask("POST", "virtualMachines/desk-vm/restart")
    compute.clock.advance(45)
    ran(compute, "apt-get -y -o DPkg::Lock::Timeout=300 install tree")
    assert ran(compute, "dpkg-query -W -f '${Package}' tree")[0] == "tree"


def test_pip_may_be_broken() -> None:
    compute = ComputeEmulator()
    set_scenario(compute.store, "broken-pip")
    out, err = ran(compute, "pip3 list; echo $?; python3 -m pip list --format=freeze >/dev/null; echo $?")
    assert out == "1\n1\n"
    assert err.count("ModuleNotFoundError: No module named 'pip._internal'") == 2
    set_scenario(compute.store, "calm")
    assert ran(compute, "pip list | wc -l")[0] == "21\n"


def test_the_list_script_of_the_tool_has_what_the_managers_list(shared: ComputeEmulator) -> None:
    out, err = ran(shared, *list_script("Linux"), name="desk-vm")
    assert err == ""
    report = read_report(out)
    assert report is not None
    found = PackageList.parse(ran(shared, "cat /var/lib/batchimg/packages.tsv")[0])
    assert (report.count, report.sha256, report.not_read) == (found.count, found.sha256, ())
    own = ran(shared, "dpkg-query -W -f='${db:Status-Abbrev} ${binary:Package} ${Version}\n'")[0].splitlines()
    installed = {(name, version) for status, name, version in map(str.split, own) if status[1] == "i"}
    assert {(one.name, one.version) for one in found.packages if one.manager == "dpkg"} == installed
    own = ran(shared, "pip list --format=freeze")[0].splitlines()
    assert {f"{one.name}=={one.version}" for one in found.packages if one.manager == "pip" and not one.source} == {*own}
    own = ran(shared, "/opt/conda/bin/conda list -n genomics --export")[0].splitlines()
    of_conda = {(one.name, one.version) for one in found.packages if one.source.endswith("/opt/conda/envs/genomics")}
    assert of_conda == {tuple(line.split("=")[:2]) for line in own if not line.startswith("#")}
    own = ran(shared, "Rscript -e 'writeLines(rownames(installed.packages()))'")[0].splitlines()
    assert {one.name for one in found.packages if one.manager == "r"} == {*own}
    assert Package("r", "dplyr", "1.1.4", "CRAN") in found.packages
    assert Package("r", "base", "4.3.3", "") in found.packages
    alma = read_report(ran(shared, *list_script("Linux"), name="alma")[0])
    assert alma is not None
    rows = int(ran(shared, "rpm -qa | wc -l", name="alma")[0])
    listed = ran(shared, "cat /var/lib/batchimg/packages.tsv", name="alma")[0].splitlines()
    assert sum(line.startswith("rpm\t") for line in listed) == rows
    assert listed[0].startswith(("os\t", "pip\t", "rpm\t"))


def test_a_list_says_what_could_not_be_read() -> None:
    compute = ComputeEmulator()
    set_scenario(compute.store, "broken-pip")
    report = read_report(ran(compute, *list_script("Linux"))[0])
    assert report is not None
    assert report.not_read == ()  # the metadata of the packages is read instead


def test_the_end_of_an_output_is_returned_in_bytes() -> None:
    compute = ComputeEmulator()
    out = ran(compute, "seq 3000; printf 'é%.0s' 1 2 3; seq 2000 >&2")
    assert [len(one.encode()) for one in out] == [4096, 4096]
    assert out[0].endswith("3000\nééé")


# -- Windows -----------------------------------------------------------------------------------------------------

KEYS = "HKLM:\\SOFTWARE\\Microsoft\\Windows\\CurrentVersion\\Uninstall\\*"
KEYS_32 = "HKLM:\\SOFTWARE\\WOW6432Node\\Microsoft\\Windows\\CurrentVersion\\Uninstall\\*"
WRITE = """
$dir = Join-Path $env:ProgramData 'lab'
New-Item -ItemType Directory -Force -Path $dir | Out-Null
$rows = @()
foreach ($one in (Get-ItemProperty $keys -ErrorAction SilentlyContinue)) {
  if ($one.DisplayName -and $one.DisplayName -notlike '*Visual*') {
    $rows += "{0}={1}" -f $one.DisplayName, $one.DisplayVersion
  }
}
$rows += & python -m pip list --format=freeze 2>$null
[string[]]$lines = $rows | Sort-Object -Unique
[IO.File]::WriteAllText("$dir\\list.txt", (($lines -join "`n") + "`n"), (New-Object System.Text.UTF8Encoding $false))
$digest = (Get-FileHash "$dir\\list.txt").Hash.ToLower()
Write-Output "$($lines.Count) $digest"
"""


@pytest.fixture(scope="module")
def windows() -> ComputeEmulator:
    compute = ComputeEmulator()
    image = {"publisher": "MicrosoftWindowsServer", "offer": "WindowsServer", "sku": "2022-datacenter-g2"}
    machine(compute, "vm", image)
    return compute


def powershell(compute: ComputeEmulator, script: str) -> str:
    body = {"commandId": "RunPowerShellScript", "script": script.split("\n")}
    response = compute.ask("POST", "virtualMachines/vm/runCommand", body)
    assert response.status == 202, response.body
    compute.clock.advance(900)
    done = compute.ask("GET", response.headers["Azure-AsyncOperation"]).body
    return str(done["properties"]["output"]["value"][0]["message"])


@pytest.mark.parametrize(
    ("script", "found"),
    [
        (
            f"(Get-ItemProperty '{KEYS}').Count\n@(Get-ItemProperty '{KEYS}', '{KEYS_32}' | ? DisplayName).Count",
            "12\n14",
        ),
        (
            (
                f"Get-ItemProperty '{KEYS_32}' | Where-Object {{ $_.DisplayName -match '^ImageJ' }} | "
                'ForEach-Object { "$($_.DisplayName)`t$($_.DisplayVersion)" }'
            ),
            "ImageJ 1.54g\t1.54g",
        ),
        (
            (
                f"Get-ItemProperty '{KEYS}' | Where-Object {{ $_.DisplayName -and -not $_.DisplayVersion }} | "
                "Select-Object -ExpandProperty DisplayName"
            ),
            "Werkzeuge f\u00fcr Mikroskopie",
        ),
        ("Get-Package | Sort-Object Name | Select-Object -First 1 -ExpandProperty Name", "7-Zip 24.09 (x64)"),
        ("pip list --format=freeze | Select-Object -First 2\n$LASTEXITCODE", "numpy==2.2.6\npandas==2.2.3\n0"),
        ("if (Test-Path C:\\none.txt) { 'yes' } else { 'no' }", "no"),
    ],
)  # fmt: skip
def test_windows_lists_what_is_installed(windows: ComputeEmulator, script: str, found: str) -> None:
    assert powershell(windows, script) == found


def test_files_on_windows_stay(windows: ComputeEmulator) -> None:
    count, digest = powershell(windows, f"$keys = '{KEYS}', '{KEYS_32}'{WRITE}").split()
    text = powershell(windows, "Get-Content C:\\ProgramData\\lab\\list.txt")
    assert (text.count("\n") + 1, digest) == (int(count), hashlib.sha256(f"{text}\n".encode()).hexdigest())
    assert text.startswith("7-Zip 24.09 (x64)=24.09\n")
    copied = "Copy-Item C:\\ProgramData\\lab\\list.txt C:\\Windows\\copy.txt -Force"
    copied += "\n(Get-FileHash C:\\Windows\\copy.txt).Hash"
    assert powershell(windows, copied) == digest.upper()
    for unknown in ("choco list", "winget list", "Get-AppxPackage"):
        body = {"commandId": "RunPowerShellScript", "script": [unknown]}
        assert windows.ask("POST", "virtualMachines/vm/runCommand", body).status == 501


def test_the_list_script_of_the_tool_has_what_windows_lists(windows: ComputeEmulator) -> None:
    report = read_report(powershell(windows, "\n".join(list_script("Windows"))))
    assert report is not None
    text = powershell(windows, f"Get-Content -Raw {IMAGE_PATHS['Windows']}")
    found = PackageList.parse(text if text.endswith("\n") else f"{text}\n")
    assert (report.count, report.sha256, report.not_read) == (found.count, found.sha256, ())
    names = powershell(
        windows,
        f"Get-ItemProperty '{KEYS}', '{KEYS_32}' | Where-Object DisplayName | ForEach-Object {{ $_.DisplayName }}",
    )
    assert {one.name for one in found.packages if one.manager == "windows"} == {*names.splitlines()}
    own = powershell(windows, "pip list --format=freeze").splitlines()
    assert {f"{one.name}=={one.version}" for one in found.packages if one.manager == "pip"} == {*own}
    assert [one.name for one in found.packages if one.manager == "os"] == ["Windows Server 2022 Datacenter"]
    # The same, joined by blanks, is the value of an environment variable, or a block of its own.
    in_block = powershell(windows, f"$ErrorActionPreference = 'Stop'\n& {{ {' '.join(list_script('Windows'))} }}")
    assert read_report(in_block) == report


def test_a_broken_pip_on_windows_is_a_line_of_the_list() -> None:
    compute = ComputeEmulator()
    machine(compute, "vm", {"publisher": "MicrosoftWindowsServer", "offer": "WindowsServer", "sku": "2019-datacenter"})
    set_scenario(compute.store, "broken-pip")
    report = read_report(powershell(compute, "\n".join(list_script("Windows"))))
    assert report is not None
    assert report.not_read == ("pip C:\\Program Files\\Python312: exit code 1",)
