"""The specification of a pool, its image and its nodes, validated with pydantic.

``values`` and ``line`` do not import pydantic, so that the command line starts fast.

May import: ``errors``, ``masking``, ``resource_ids``.
"""
