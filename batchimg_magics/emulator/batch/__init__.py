"""Azure Batch, both planes: ``rest`` < ``fleet``, ``autoscale`` < ``model`` < ``routes``.

May import: ``compute`` and below.
"""
