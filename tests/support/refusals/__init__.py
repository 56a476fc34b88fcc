"""Requests to Microsoft.Compute that Azure refuses, with the status and the error code."""
