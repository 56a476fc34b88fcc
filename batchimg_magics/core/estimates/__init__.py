"""Money and time before anything is requested: prices, workload, forecast, sizing options.

May import: ``batch`` and below.
"""
