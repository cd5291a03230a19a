from __future__ import annotations

import pytest

from ari_assistant.providers.wire import LENGTHS, pack, unpack_header


def test_a_frame_is_its_lengths_its_header_and_its_payload() -> None:
    frame = pack({"id": 3, "text": "café"}, b"\x00\xff")
    head, body = LENGTHS.unpack_from(frame)
    assert unpack_header(frame[LENGTHS.size : LENGTHS.size + head]) == {"id": 3, "text": "café"}
    assert frame[LENGTHS.size + head :] == b"\x00\xff"
    assert body == 2


@pytest.mark.parametrize("data", [b"", b"[1]", b"{", b'"text"'])
def test_a_header_that_is_no_object_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError):
        unpack_header(data)
