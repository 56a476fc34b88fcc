"""What is done to Azure: async, without notebook, terminal or pandas.

The wings, each on its floor: ``base`` < ``azure`` < ``compute`` < ``batch`` < ``estimates``, ``images`` < ``scaling``,
``checks`` < ``lock`` < ``operations``.

May import: ``pool_spec`` and below.
"""
