"""The specification of a pool, its image and its nodes, validated with pydantic.

``values``, ``line``, ``tags`` and ``words`` do not import pydantic, so that the command line starts fast.

May import: ``errors``, ``masking``, ``resource_ids``.
"""
