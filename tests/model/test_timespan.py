"""Times and spans as people read them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from dagfs.model.timespan import ago, duration

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("passed", "words"),
    [
        (1, "just now"),
        (42, "42 s ago"),
        (99.9, "100 s ago"),
        (125, "2 min ago"),
        (2 * 3600, "2 h ago"),
        (3 * 86400, "3 d ago"),
    ],
)
def test_how_long_ago_is_said_in_one_number(passed: float, words: str) -> None:
    assert ago((NOW - timedelta(seconds=passed)).isoformat(), NOW) == words


def test_a_clock_that_was_set_back_makes_nothing_negative() -> None:
    assert ago((NOW + timedelta(hours=1)).isoformat(), NOW) == "just now"
    assert duration(NOW.isoformat(), (NOW - timedelta(hours=1)).isoformat()) == "0.00 s"
