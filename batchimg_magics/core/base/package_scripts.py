r"""The scripts that write the list of the installed packages into an image, or into the working directory of a task.

They ask the package managers that an operating system has: on Linux dpkg and rpm, pip of the system and of the
environments below ``/opt``, conda environments, and R; on Windows the installed programs of both views of the registry,
and pip. Each command has a timeout of its own. What could not be read is a line of the list itself, with the manager
``unreadable``: then everybody who has the list knows it. Control characters are replaced: a name cannot add lines.

They print one line ``batchimg: packages COUNT SHA256``, after a line for each manager that could not be read: a
run-command returns the last 4,096 bytes of the output. The lines of a script, joined by spaces, are the same script:
then it is the value of an environment variable.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from batchimg_magics.masking import make_visible

__all__ = [
    "IMAGE_PATHS",
    "LIST_TIMEOUT_S",
    "NODE_FILE",
    "SCRIPT_LINE",
    "ListReport",
    "image_script",
    "list_script",
    "node_script",
    "read_report",
]

#: Where an image has its list, by operating system.
IMAGE_PATHS = {"Linux": "/var/lib/batchimg/packages.tsv", "Windows": "C:\\ProgramData\\batchimg\\packages.tsv"}
#: The name of the list in the working directory of the start task of a node.
NODE_FILE = "batchimg-packages.tsv"
#: The most seconds for one command of a package manager, and for the whole list.
COMMAND_TIMEOUT_S, LIST_TIMEOUT_S = 60, 240
#: Lines about what could not be read that a script prints, at most; all of them are in the list.
_MOST_PRINTED = 15
#: What a script prints last.
SCRIPT_LINE = "batchimg: packages"
_REPORT = re.compile(rf"^{SCRIPT_LINE} (\d{{1,7}}) ([0-9a-f]{{64}})\s*$", re.MULTILINE)
_NOT_READ = re.compile(r"^batchimg: not read: (.{1,300})$", re.MULTILINE)

_RUN = f"timeout -k 5 {COMMAND_TIMEOUT_S}"
_QUIET = "> $t/out 2> /dev/null < /dev/null"
#: A line of the list for a command that failed; `fail` is the name of what it should have read.
_FAILED = "printf 'unreadable\\t%s\\t\\texit code %s\\n' \"$n\" $? >> $t/all"
_R_CODE = (
    'x <- installed.packages(fields = "Repository"); s <- x[, "Repository"]; s[is.na(s)] <- ""; '
    'writeLines(paste("r", x[, "Package"], x[, "Version"], s, sep = "\\t"))'
)
#: For an environment without pip: what pip reads, too.
_METADATA_CODE = (
    "import importlib.metadata as m; "
    '[print(d.metadata["Name"] + "==" + d.version) for d in m.distributions() if d.metadata["Name"]]'
)
_CONDA_FOLDERS = " ".join(
    f"{root}/conda-meta {root}/envs/*/conda-meta"
    for root in ("/opt/*", "/usr/local/*", "/anaconda*", "/miniconda*", "/miniforge*", "/data/anaconda*")
)
#: What is printed about a list that is written.
_LINUX_REPORT = (
    "sed -E -n 's/^unreadable\\t(.*)\\t\\t(.*)$/batchimg: not read: \\1: \\2/p' \"$l\" |",
    f"cut -b 1-200 | head -n {_MOST_PRINTED};",
    f'echo "{SCRIPT_LINE} $(wc -l < "$l") $(sha256sum < "$l" | cut -d\' \' -f1)";',
)
_LINUX = (
    "umask 022;",
    "LC_ALL=C; PIP_DISABLE_PIP_VERSION_CHECK=1; PIP_CONFIG_FILE=/dev/null; PYTHONNOUSERSITE=1;",
    "PYTHONDONTWRITEBYTECODE=1; CONDA_NO_PLUGINS=true;",
    "export LC_ALL PIP_DISABLE_PIP_VERSION_CHECK PIP_CONFIG_FILE PYTHONNOUSERSITE;",
    "export PYTHONDONTWRITEBYTECODE CONDA_NO_PLUGINS;",
    "t=$(mktemp -d) || exit 0;",
    "HOME=$t; export HOME;",
    ": > $t/all;",
    f"end=$(($(date +%s) + {LIST_TIMEOUT_S - COMMAND_TIMEOUT_S}));",
    "m=$(uname -m);",
    # The operating system: exports need its name.
    "if [ -r /etc/os-release ]; then",
    '( . /etc/os-release; printf \'os\\t%s\\t%s\\t%s\\n\' "${ID:-linux}" "$VERSION_ID" "$m" >> $t/all );',
    "fi;",
    # Packages that were removed and have configuration files left (config-files, not-installed) are left out.
    "if command -v dpkg-query > /dev/null; then n=dpkg;",
    f"{_RUN} dpkg-query -W -f='${{db:Status-Status}}\\t${{binary:Package}}\\t${{Version}}\\n' {_QUIET} || {_FAILED};",
    "sed -E -n '/^[nc]/d; s/^[a-z-]+\\t(.*)$/dpkg\\t\\1\\t/p' $t/out >> $t/all;",
    "fi;",
    # As dnf does, the architecture is in the name where it is not that of the machine.
    "if command -v rpm > /dev/null; then n=rpm;",
    f"{_RUN} rpm -qa --qf '%{{ARCH}}\\t%{{NAME}}\\t%{{EVR}}\\n' {_QUIET} || {_FAILED};",
    'sed -E -n "s/^(noarch|\\(none\\)|$m)\\t(.*)$/rpm\\t\\2\\t/p; t;',
    's/^([^\\t]*)\\t([^\\t]*)\\t(.*)$/rpm\\t\\2.\\1\\t\\3\\t/p" $t/out >> $t/all;',
    "fi;",
    "for p in /usr/bin/python3 /usr/local/bin/python3 /opt/*/bin/python3 /opt/*/*/bin/python3; do",
    "h=${p%/bin/python3};",
    'if [ -x "$p" ] && [ ! -d "$h/conda-meta" ]; then n="pip $h";',
    "if [ $(date +%s) -lt $end ]; then",
    f'{_RUN} "$p" -m pip list --format=freeze {_QUIET} ||',
    f"{_RUN} \"$p\" -c '{_METADATA_CODE}' {_QUIET} ||",
    f"{_FAILED};",
    # The system itself is no source.
    '[ "$h" != /usr ] || h=;',
    "h=$(printf %s \"$h\" | sed 's/[&|\\\\]/\\\\&/g');",
    'sed -n "s|^\\([^=]*\\)===*\\(.*\\)$|pip\\t\\1\\t\\2\\t$h|p" $t/out >> $t/all;',
    "else printf 'unreadable\\t%s\\t\\tno time was left\\n' \"$n\" >> $t/all; fi;",
    "fi;",
    "done;",
    "b=;",
    f"for c in {_CONDA_FOLDERS}; do",
    "h=${c%/conda-meta};",
    'if [ -d "$c" ]; then n="conda $h"; r=${h%/envs/*};',
    "if [ $(date +%s) -lt $end ]; then",
    'if [ -x "$r/bin/conda" ]; then',
    f'{_RUN} "$r/bin/conda" list -p "$h" --show-channel-urls {_QUIET} || {_FAILED};',
    "else",
    # Without conda, its own records: NAME-VERSION-BUILD.json.
    'for f in "$c"/*.json; do',
    "printf '%s\\n' \"${f##*/}\" | sed -E -n 's/^(.*)-([^-]*)-([^-]*)\\.json$/\\1 \\2 \\3/p'; done > $t/out;",
    "fi;",
    # The source is the channel, and the environment where it is not that of the first installation.
    '[ -n "$b" ] || b=$h; s=; [ "$h" = "$b" ] || s=" $h";',
    "h=$(printf %s \"$h\" | sed 's/[&|\\\\]/\\\\&/g'); s=$(printf %s \"$s\" | sed 's/[&|\\\\]/\\\\&/g');",
    'sed -E -n "/^#/d; s|^([^ ]+) +([^ ]+) +[^ ]+ +pypi *$|pip\\t\\1\\t\\2\\t$h|p; t;',
    's|^([^ ]+) +([^ ]+) +[^ ]+ *([^ ]*) *$|conda\\t\\1\\t\\2\\t\\3$s|p" $t/out >> $t/all;',
    "else printf 'unreadable\\t%s\\t\\tno time was left\\n' \"$n\" >> $t/all; fi;",
    "fi;",
    "done;",
    "for r in /usr/bin/Rscript /usr/local/bin/Rscript /opt/R/*/bin/Rscript; do",
    'if [ -x "$r" ]; then n="r $r";',
    "if [ $(date +%s) -lt $end ]; then",
    f"{_RUN} \"$r\" --no-init-file -e '{_R_CODE}' {_QUIET} || {_FAILED};",
    "cat $t/out >> $t/all;",
    "else printf 'unreadable\\t%s\\t\\tno time was left\\n' \"$n\" >> $t/all; fi;",
    "fi;",
    "done;",
    # Whatever a package manager printed, each line of the list has its four fields.
    "tr '\\000-\\010\\013-\\037\\177-\\377' '?' < $t/all | cut -b 1-1000 |",
    f"sed -E 's/\\texit code (124|137)$/\\ttimed out after {COMMAND_TIMEOUT_S} s/;",
    "s/\\t +([^\\t]*)$/\\t\\1/;",
    "/^[a-z]+\\t[^\\t]+\\t[^\\t]*\\t[^\\t]*$/!s/^.*$/unreadable\\tsome lines\\t\\tnot in the form of the list/' |",
    "sort -u > $t/list;",
    'mkdir -p "$(dirname "$l")" && cp $t/list "$l.new" && mv -f "$l.new" "$l" || exit 0;',
    "rm -rf $t;",
    *_LINUX_REPORT,
)
_WINDOWS = (
    "$ErrorActionPreference = 'SilentlyContinue';",
    "$list = New-Object System.Collections.Generic.List[string];",
    "$system = Get-ItemProperty 'HKLM:\\SOFTWARE\\Microsoft\\Windows NT\\CurrentVersion';",
    '$build = "10.0.$($system.CurrentBuild).$($system.UBR)";',
    '$list.Add("os`t$($system.ProductName)`t$build`t$env:PROCESSOR_ARCHITECTURE");',
    # The 64-bit and the 32-bit view of the registry.
    "foreach ($view in 'HKLM:\\SOFTWARE', 'HKLM:\\SOFTWARE\\WOW6432Node') {",
    'foreach ($one in Get-ItemProperty "$view\\Microsoft\\Windows\\CurrentVersion\\Uninstall\\*") {',
    "if ($one.DisplayName) {",
    '$list.Add("windows`t$($one.DisplayName)`t$($one.DisplayVersion)`t$($one.Publisher)") } } };',
    "$folders = 'C:\\Python*', 'C:\\Program Files\\Python*', 'C:\\tools\\*', 'C:\\Miniconda*', 'C:\\Anaconda*',",
    "'C:\\ProgramData\\*conda*', 'C:\\*conda*\\envs\\*', 'C:\\ProgramData\\*conda*\\envs\\*';",
    "foreach ($folder in Get-Item $folders | Sort-Object FullName -Unique) {",
    '$python = "$($folder.FullName)\\python.exe";',
    "if (Test-Path $python) {",
    # One line: at the end of a line, PowerShell ends the statement.
    (
        '$job = Start-Job { & $args[0] -m pip --disable-pip-version-check list --format=freeze; "exit=$LASTEXITCODE" }'
        " -ArgumentList $python;"
    ),
    f"$ended = Wait-Job $job -Timeout {COMMAND_TIMEOUT_S};",
    "$lines = @(Receive-Job $job);",
    "foreach ($line in $lines) { if ($line -match '^([^=]+)={2,3}(.+)$') {",
    '$list.Add("pip`t$($Matches[1])`t$($Matches[2])`t$($folder.FullName)") } };',
    f"if (-not $ended) {{ $why = 'timed out after {COMMAND_TIMEOUT_S} s' }}",
    "elseif ($lines -contains 'exit=0') { $why = '' }",
    "else { $why = \"$($lines[-1])\" -replace 'exit=', 'exit code ' };",
    'if ($why) { $list.Add("unreadable`tpip $($folder.FullName)`t`t$why") };',
    "Remove-Job $job -Force } };",
    # Sorted by the bytes of UTF-8, of which each is one character of Latin-1.
    "$latin = [Text.Encoding]::GetEncoding(28591);",
    "$lines = @(foreach ($line in $list) {",
    "$clean = ($line -replace '[\\x00-\\x08\\x0a-\\x1f\\x7f-\\x9f]', '?') -split \"`t\";",
    'if ($clean.Count -eq 4) { $latin.GetString([Text.Encoding]::UTF8.GetBytes(($clean -join "`t"))) }',
    'else { "unreadable`tsome lines`t`tnot in the form of the list" } });',
    "$sorted = New-Object 'System.Collections.Generic.SortedSet[string]' ([StringComparer]::Ordinal);",
    "foreach ($line in $lines) { [void]$sorted.Add($line) };",
    '$bytes = $latin.GetBytes((@($sorted) -join "`n") + "`n");',
    "[void](New-Item -ItemType Directory -Force (Split-Path $l));",
    '[IO.File]::WriteAllBytes("$l.new", $bytes);',
    'Move-Item -Force "$l.new" $l;',
    "$sha = [BitConverter]::ToString([Security.Cryptography.SHA256]::Create().ComputeHash($bytes));",
    f"$bad = @($sorted) -match '^unreadable' | Select-Object -First {_MOST_PRINTED};",
    'foreach ($line in $bad) { $f = $line -split "`t"; Write-Output "batchimg: not read: $($f[1]): $($f[3])" };',
    f"Write-Output \"{SCRIPT_LINE} $($sorted.Count) $($sha.Replace('-', '').ToLower())\";",
)


def list_script(os_type: str, path: str = "") -> list[str]:
    """Return the lines of the script that writes the list.

    Parameters
    ----------
    os_type
        ``Linux`` or ``Windows``.
    path
        The file that it writes; empty: that of the image.
    """
    target = path or IMAGE_PATHS[os_type]
    return [f"$l = '{target}';", *_WINDOWS] if os_type == "Windows" else [f"l={target};", *_LINUX]


def image_script(os_type: str, *, written_if: str = "") -> list[str]:
    """Return the lines that write the list into an image, in a scope of their own: whatever fails, the script goes on.

    A list that the system already has, which may be that of the image it was made from, is removed first.

    Parameters
    ----------
    os_type
        ``Linux`` or ``Windows``.
    written_if
        A condition of the shell, on Linux: where it holds, the list is written already, and is only reported.
    """
    path = IMAGE_PATHS[os_type]
    if os_type == "Windows":
        return ["& {", f"Remove-Item -Force -ErrorAction SilentlyContinue '{path}'", *list_script(os_type), "}"]
    write = ["(", f"rm -f {path};", *list_script(os_type), ") || true"]
    if not written_if:
        return write
    report = [f"l={path}", '[ ! -f "$l" ] || {', *_LINUX_REPORT, "} || true"]
    return [f"if {written_if}; then", *report, "else", *write, "fi"]


def node_script(os_type: str) -> str:
    """Return the script that provides the list in the working directory of a task: that of the image, or a new one.

    Parameters
    ----------
    os_type
        ``Linux`` or ``Windows``, in any case.
    """
    if os_type.lower() == "windows":
        image, lines = IMAGE_PATHS["Windows"], " ".join(_WINDOWS)
        target = f'$l = "$env:AZ_BATCH_TASK_WORKING_DIR\\{NODE_FILE}";'
        return f"{target} if (Test-Path '{image}') {{ Copy-Item '{image}' $l }} else {{ {lines} }}"
    image, lines = IMAGE_PATHS["Linux"], " ".join(list_script("Linux", f"$PWD/{NODE_FILE}"))
    return f"( if [ -s {image} ]; then cp {image} {NODE_FILE}; else {lines} fi ) > /dev/null 2>&1"


@dataclass(frozen=True, slots=True)
class ListReport:
    """What a script printed about the list that it wrote.

    Parameters
    ----------
    count, sha256
        The number of packages, and the SHA-256 of the list.
    not_read
        The package managers that could not be read, each with the reason.
    """

    count: int
    sha256: str
    not_read: tuple[str, ...] = ()

    @property
    def tag(self) -> str:
        """The value of the tag of an image version: ``COUNT:SHA256``."""
        return f"{self.count}:{self.sha256}"


def read_report(output: str) -> ListReport | None:
    """Return what a script printed; None where it was not printed, or is not complete."""
    found = _REPORT.search(output)
    if found is None:
        return None
    return ListReport(int(found[1]), found[2], tuple(make_visible(one) for one in _NOT_READ.findall(output)))
