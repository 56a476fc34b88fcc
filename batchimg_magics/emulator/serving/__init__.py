"""The emulator for other programs: addresses and names, certificates, environment variables, and the proxy.

`server` is the command line. Requires the extra ``server`` (uvicorn, trustme).

May import: everything else in `emulator`.
"""
