"""What a user asks for, validated with pydantic: a pool, its image, its nodes.

``values`` and ``line`` work without pydantic, so that the command line starts fast.

May import: ``errors``, ``masking``, ``resource_ids``.
"""
