"""Microsoft.Compute: VMs, disks, snapshots, images, galleries. ``model`` has the rules, ``routes`` the operations.

May import: ``network`` and below.
"""
