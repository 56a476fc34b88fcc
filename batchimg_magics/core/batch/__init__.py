"""One module per thing of Azure Batch: pools, nodes, VM sizes, node agents, quotas, expiry.

May import: ``compute`` and below.
"""
