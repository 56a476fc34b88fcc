"""The verbs: one module per verb with its words (help, options, examples) and the call that starts it.

``registry`` has the verbs in order. A module of ``core`` is imported inside a verb's ``start``, when the verb runs.

May import: ``connection`` and below.
"""
