"""Microsoft.Network, as far as VMs and pools need it.

May import: ``arm`` and below.
"""
