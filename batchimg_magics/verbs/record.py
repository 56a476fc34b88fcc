"""The verb ``record``; the session runs it without a connection."""

from __future__ import annotations

from batchimg_magics.verbs.verb import Option, Verb

__all__ = ["VERB"]

VERB = Verb(
    "record",
    "Read back what an executed notebook did, and rebuild its lock file or export it as an RO-Crate",
    (
        Option("notebook", "Executed notebook, NAME.ipynb", metavar="NOTEBOOK", completion="file"),
        Option(
            "--lock",
            "Rebuild the lock file of its pool; a folder: those of all its pools",
            metavar="FILE",
            completion="file",
        ),
        Option(
            "--rocrate",
            "Write a Process Run Crate into this folder: notebook, lock files, and what each command did",
            metavar="DIR",
            completion="file",
        ),
        Option(
            "--agent",
            "Set who ran the notebook, for --rocrate: a name, an ORCID or another URL (default: nobody is named)",
            metavar="NAME",
        ),
        Option(
            "--license",
            "Set the licence of the crate of --rocrate (default: none is stated)",
            metavar="URL",
            dest="license_url",
        ),
        Option("--force", "Replace existing files"),
    ),
    ("record analysis.ipynb", "record analysis.ipynb --lock genomics.lock.toml", "record analysis.ipynb --rocrate run"),
    returns="One row per result, in the order of the cells.",
    raises=(("SpecError", "It is no executed notebook with records; it has no lock; a file cannot be written."),),
)
