"""Microsoft.Compute: VMs, disks, snapshots, images, galleries. ``model`` has the rules, ``routes`` answers.

May import: ``network`` and below.
"""
