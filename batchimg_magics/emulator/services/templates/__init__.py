"""The template language of Azure Resource Manager: expressions, functions, parameters, copies, and the resources.

May import: ``arm`` and below.
"""
