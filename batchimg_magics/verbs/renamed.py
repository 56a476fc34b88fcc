"""What was renamed: an old name is refused, and the error has the new one."""

from __future__ import annotations

__all__ = ["KEYWORDS", "METHODS", "OPTIONS", "SIMILAR", "VERBS"]

#: Old verb to the new one.
VERBS = {"orphans": "cleanup", "reap": "cleanup", "sim": "emulator", "size": "estimate", "stop": "stop-resize"}
#: Old option to the new one.
OPTIONS = {
    "--connect": "--login",
    "--through": "--api",
    "--world": "--state",
    "--deprovisioned": "--generalized",
    "--not-deprovisioned": "--not-generalized",
}
#: Old `Session` method to the new one, and the keywords of all methods.
METHODS = {name: new.replace("-", "_") for name, new in VERBS.items() if new != "emulator"}
KEYWORDS = {name.lstrip("-"): new.lstrip("-") for name, new in OPTIONS.items()}
#: Words of other tools to the verbs for them here; those that exist are suggested.
SIMILAR = {
    "ls": "pools, vms, images, nodes", "list": "pools, vms, images, nodes", "get": "show, pools",
    "describe": "show, nodes", "info": "show, pools", "inspect": "show, nodes", "scale": "resize", "grow": "resize",
    "shrink": "resize", "adapt": "autoscale", "log": "logs", "tail": "logs", "stdout": "logs", "stderr": "logs",
    "ps": "status, nodes", "jobs": "status", "state": "status, nodes", "rm": "delete", "remove": "delete",
    "destroy": "delete", "drop": "delete", "kill": "stop-resize, delete", "cancel": "stop-resize",
    "abort": "stop-resize", "clean": "cleanup", "gc": "cleanup", "prune": "cleanup", "new": "create",
    "make": "create", "add": "create", "build": "create", "deploy": "create", "start": "create, resize",
    "launch": "create", "run": "create", "snapshot": "create", "capture": "create", "clone": "create",
    "validate": "check", "preflight": "check", "test": "check", "doctor": "check",
    "quota": "check", "cost": "show, history, estimate", "costs": "show, history, estimate", "bill": "history",
    "spent": "history", "price": "estimate, show", "budget": "estimate", "login": "connect, vms",
    "ssh": "vms, nodes", "account": "connect", "configure": "connect", "use": "connect", "profile": "profiles, connect",
    "preview": "plan", "dry-run": "plan", "reboot": "repair", "reimage": "repair", "fix": "repair",
    "watch": "wait, panel", "dashboard": "panel", "top": "panel", "ui": "panel", "gui": "panel", "man": "help",
    "usage": "help", "version": "help",
}  # fmt: skip
