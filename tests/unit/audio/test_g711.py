from __future__ import annotations

import sys
import warnings

import numpy as np
import pytest

from ari_assistant.audio.g711 import ALAW, ULAW, Law

EVERY_SAMPLE = np.arange(65536, dtype=np.uint16).view(np.int16)
EVERY_CODE = bytes(range(256))


@pytest.mark.skipif(sys.version_info >= (3, 13), reason="audioop, the reference, is gone in Python 3.13")
@pytest.mark.parametrize(("law", "name"), [(ULAW, "ulaw"), (ALAW, "alaw")])
def test_is_bit_exact_with_audioop_over_every_input(law: Law, name: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import audioop  # type: ignore[import-not-found, unused-ignore]
    encode = getattr(audioop, f"lin2{name}")
    decode = getattr(audioop, f"{name}2lin")
    assert law.encode(EVERY_SAMPLE) == encode(EVERY_SAMPLE.tobytes(), 2)
    assert law.decode(EVERY_CODE).tobytes() == decode(EVERY_CODE, 2)


@pytest.mark.parametrize("law", [ULAW, ALAW])
def test_a_code_that_was_decoded_encodes_to_itself(law: Law) -> None:
    again = law.encode(law.decode(EVERY_CODE))
    # µ-law has two codes for zero.
    assert [a for a, b in zip(again, EVERY_CODE, strict=True) if a != b] in ([], [0xFF])


@pytest.mark.parametrize("law", [ULAW, ALAW])
def test_silence_is_quiet(law: Law) -> None:
    assert abs(int(law.decode(bytes([law.silence]))[0])) <= 8
