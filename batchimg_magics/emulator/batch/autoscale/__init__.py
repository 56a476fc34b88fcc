"""The language of autoscale formulas: parser, values, samples.

May import: ``batch/rest`` and below.
"""
