"""Microsoft.Network, as much as VMs and pools need of it.

May import: ``arm`` and below.
"""
