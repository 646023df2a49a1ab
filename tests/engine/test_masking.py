"""Secrets are taken out of streams and texts."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dagfs.engine.masking import MASK, Mask, Redactor, needles


def whole(texts: list[str], data: bytes) -> bytes:
    mask = Mask(texts)
    return mask.feed(data) + mask.end()


@pytest.mark.parametrize(
    ("secrets", "text", "masked"),
    [
        (["hunter2"], b"the password is hunter2.", b"the password is *****."),
        (["hunter2"], b"hunter", b"hunter"),
        (["abcdef", "defghi"], b"xabcdefghix", b"x*****x"),
        (["abcd", "abcdef"], b"abcdefabcdxabcde", b"**********x*****e"),
        (["aaaa"], b"aaaaaaab", b"*****b"),
        (["pässwörd"], "»pässwörd«".encode(), "»*****«".encode()),
        (["hunter2"], b"\xffhunter2\xfe", b"\xff*****\xfe"),
        ([], b"anything", b"anything"),
    ],
)
def test_secrets_are_masked_wherever_they_stand(secrets: list[str], text: bytes, masked: bytes) -> None:
    assert whole(secrets, text) == masked


LETTERS = st.text(st.sampled_from("ab\n"), min_size=4, max_size=7)


@given(st.lists(LETTERS, max_size=3), st.binary(max_size=0) | st.text(st.sampled_from("ab\nc")), st.data())
@settings(max_examples=400, deadline=None)
def test_how_a_stream_is_cut_makes_no_difference(
    secrets: list[str], text: str | bytes, draw: st.DataObject
) -> None:
    data = text.encode() if isinstance(text, str) else text
    mask, out, place = Mask(secrets), b"", 0
    while place < len(data):
        size = draw.draw(st.integers(1, 4))
        out += mask.feed(data[place : place + size])
        place += size
    out += mask.end()
    assert out == whole(secrets, data)
    assert not any(secret.encode() in out for secret in secrets)
    assert out.replace(MASK, b"") == unmasked(secrets, data)


def unmasked(secrets: list[str], data: bytes) -> bytes:
    """What no secret covers, found the slow way."""
    covered = [False] * len(data)
    for secret in map(str.encode, secrets):
        for start in range(len(data) - len(secret) + 1):
            if data[start : start + len(secret)] == secret:
                covered[start : start + len(secret)] = [True] * len(secret)
    return bytes(byte for byte, hidden in zip(data, covered, strict=True) if not hidden)


def test_a_stream_of_nothing_but_a_secret_is_not_kept_in_memory() -> None:
    mask = Mask(["aaaa"])
    assert sum(len(mask.feed(b"a" * 1000)) for _ in range(100)) == len(MASK)
    assert mask.end() == b""


def test_each_line_of_a_secret_counts_and_short_ones_do_not() -> None:
    assert needles(["first line\n  second\nab\n", "pin", " padded "]) == (
        "first line\n  second\nab\n",
        "first line\n  second\nab",
        "first line",
        " padded ",
        "padded",
        "second",
    )


def test_texts_within_data_are_masked_and_keys_are_not() -> None:
    redactor = Redactor(["hunter2"])
    data = {"hunter2": ["is hunter2", 2, None, {"x": ("hunter2",)}]}
    assert redactor.data(data) == {"hunter2": ["is *****", 2, None, {"x": ["*****"]}]}
    assert not Redactor([])
