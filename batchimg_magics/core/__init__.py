"""Everything that is done on Azure. Knows no notebook, no terminal and no pandas.

Its folders from the bottom to the top: ``base``, ``azure``, ``compute``, ``batch``, then ``estimates`` and ``images``,
then ``scaling`` and ``checks``, then ``operations``. None imports from one above it.

May import: ``pool_spec``, ``errors``, ``masking``, ``resource_ids``.
"""
