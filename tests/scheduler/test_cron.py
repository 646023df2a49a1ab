from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dagfs.model.cron import in_words, parse_cron
from dagfs.scheduler.cron import following


def _field(low: int, high: int) -> st.SearchStrategy[str]:
    number = st.integers(low, high)
    pair = st.tuples(number, number).map(sorted)
    part = st.one_of(
        number.map(str),
        pair.map(lambda both: f"{both[0]}-{both[1]}"),
        st.tuples(pair, st.integers(1, 6)).map(lambda each: f"{each[0][0]}-{each[0][1]}/{each[1]}"),
        st.integers(1, 6).map(lambda step: f"*/{step}"),
    )
    return st.one_of(st.just("*"), st.lists(part, min_size=1, max_size=3).map(",".join))


_EXPRESSIONS = st.tuples(_field(0, 59), _field(0, 23), _field(1, 28), _field(1, 12), _field(0, 6)).map(
    lambda fields: " ".join(fields)
)
_MOMENTS = st.datetimes(datetime(2020, 1, 1), datetime(2035, 1, 1)).map(
    lambda moment: moment.replace(second=0, microsecond=0)
)


@settings(max_examples=150, deadline=None)
@given(_EXPRESSIONS, _MOMENTS)
def test_both_readings_of_an_expression_agree(expression: str, moment: datetime) -> None:
    cron, found = parse_cron(expression), following(expression, moment)
    assert found is not None
    assert found > moment
    assert cron.matches(found)
    for minutes in range(1, 200):
        between = moment + timedelta(minutes=minutes)
        if between >= found:
            break
        assert not cron.matches(between)
    assert in_words(cron)


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("30 2 * * 1-5", "at 02:30 on Monday to Friday"),
        ("*/15 * * * *", "every 15 minutes"),
        ("*/7 * * * *", "every 7 minutes from minute 0 of every hour"),
        ("0 */2 * * *", "at minute 0 every 2 hours"),
        ("0 */5 * * *", "at 00:00, 05:00, 10:00, 15:00 and 20:00"),
        ("0,30 */5 * * *", "at minute 0 and 30 every 5 hours from midnight"),
        ("0 0 */2 * *", "at 00:00 every 2 days from the first of the month"),
        ("0 0 */2 * 1", "at 00:00 every 2 days from the first of the month, and also on every Monday,"),
        ("@daily", "at 00:00"),
        ("@hourly", "at minute 0 of every hour"),
        ("* * * * *", "every minute"),
        ("0 9-17 * * *", "at minute 0 in the hours 9 to 17"),
        ("0 0 1 jan *", "at 00:00 on day 1 of the month in January"),
        ("0 0 30 2 1", "at 00:00 on day 30 of the month, and also on every Monday, in February"),
        ("0 12 * * sun,7", "at 12:00 on Sunday"),
    ],
)
def test_an_expression_in_words(expression: str, words: str) -> None:
    assert in_words(parse_cron(expression)) == words


def test_where_both_day_fields_leave_something_out_either_is_enough() -> None:
    monday, second, third = datetime(2026, 11, 2), datetime(2026, 11, 10), datetime(2026, 11, 3)
    cron = parse_cron("0 0 */2 * 1")
    assert [cron.matches(each) for each in (monday, second, third)] == [True, False, True]
    assert not parse_cron("0 0 1-31 * 1").matches(third)


@pytest.mark.parametrize(
    ("expression", "problem"),
    [
        ("0 0 31 2 *", "never fires"),
        ("0 0 30,31 feb *", "never fires"),
        ("0 0 31 4,6 *", "never fires"),
        ("60 * * * *", "'60' is no minute"),
        ("0 24 * * *", "is no hour"),
        ("* * * * * *", "has 6"),
        ("", "has 0"),
        ("0 0 L * *", "'L' is no day of the month"),
        ("0 0 * * 5#2", "not understood"),
        ("5-1 * * * *", "backwards"),
        ("*/0 * * * *", "the step must be"),
        ("*-5 * * * *", "not understood"),
        ("@reboot", "@reboot is not known"),
        ("1,,2 * * * *", "not understood"),
        ("٣ * * * *", "not understood"),
        ("9" * 50 + " * * * *", "is no minute"),
    ],
)
def test_what_is_no_expression_is_said(expression: str, problem: str) -> None:
    with pytest.raises(ValueError, match=r".") as wrong:
        parse_cron(expression)
    assert problem in str(wrong.value)


def test_the_29th_of_february_is_found_years_ahead() -> None:
    assert following("0 0 29 2 *", datetime(2096, 3, 1)) == datetime(2104, 2, 29)
