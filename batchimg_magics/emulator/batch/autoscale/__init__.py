"""The language of autoscale formulas: parser, values, functions, times, samples.

May import: ``batch/rest`` and below.
"""
