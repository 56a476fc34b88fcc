"""Names that the tests import for recordings. Nothing here records, so nothing may call them."""

from typing import NoReturn


def _unused(*_: object, **__: object) -> NoReturn:
    raise NotImplementedError("nothing is recorded")


get_test_id = start_record_or_playback = stop_record_or_playback = transform_request = _unused
