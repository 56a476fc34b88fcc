"""The decorator of asynchronous tests, under the name that they import."""

from devtools_testutils.recording import recorded_by_proxy_async

__all__ = ["recorded_by_proxy_async"]
