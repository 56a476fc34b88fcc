"""Secrets of test resources, which open nothing."""

BATCH_TEST_PASSWORD = "Only-4-tests!"  # noqa: S105 - the emulator's nodes have no door
