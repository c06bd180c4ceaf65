"""Times and spans as words: the tokens and the steps of moment.js, in English."""

from datetime import UTC, datetime, timedelta

import pytest

from advrepl.macros import dates

MOMENT = datetime(2026, 11, 3, 0, 5, 9, tzinfo=UTC)


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        ("YYYY-MM-DD HH:mm:ss", "2026-11-03 00:05:09"),
        ("dddd, MMMM Do YY, h:mm A", "Tuesday, November 3rd 26, 12:05 AM"),
        ("[at] LT, LL", "at 12:05 AM, November 3, 2026"),
        ("ddd D MMM hh a DDDD", "Tue 3 Nov 12 am 307"),
        ("", "2026-11-03T00:05:09+00:00"),
        (
            "Q w ww W d dd Mo DDDo k S X L l LTS ZZ Hmm",
            "4 45 45 45 2 Tu 11th 307th 24 0 1793664309 11/03/2026 11/3/2026 12:05:09 AM +0000 005",
        ),
    ],
)
def test_a_date_is_written_as_a_pattern(pattern: str, text: str) -> None:
    assert dates.format_date(MOMENT, pattern) == text


def test_days_have_their_endings() -> None:
    days = [dates.format_date(MOMENT.replace(day=day), "Do") for day in (1, 2, 3, 4, 11, 12, 13, 21, 22, 23)]
    assert days == ["1st", "2nd", "3rd", "4th", "11th", "12th", "13th", "21st", "22nd", "23rd"]


def test_time_spans_in_words() -> None:
    spans = [1, 60, 600, 4000, 90_000, 86400 * 10, 86400 * 30, 86400 * 100, 86400 * 400, 86400 * 1000]
    assert [dates.humanize(timedelta(seconds=seconds)) for seconds in spans] == [
        "a few seconds", "a minute", "10 minutes", "an hour", "a day", "10 days", "a month", "3 months", "a year",
        "3 years",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("date", "now", "text"),
    [
        ("2024-01-05", "2024-01-01", "in 4 days"),
        ("2024-01-01", "2024-01-05", "4 days ago"),
        ("2024-01-01T10:00", "2024-01-01T11:00+00:00", "an hour ago"),
        ("soon", "2024-01-01", "Invalid date"),
    ],
)
def test_how_far_a_date_is(date: str, now: str, text: str | None) -> None:
    assert dates.from_now(date, now) == text


@pytest.mark.parametrize(("hours", "clock"), [(2, "02:05"), (-1.5, "22:35"), (99, "23:05")])
def test_a_clock_in_another_place(hours: float, clock: str) -> None:
    assert dates.format_date(dates.at_offset(MOMENT, hours), "HH:mm") == clock
