"""Times and spans as words, the way the date macros of other programs spell them.

English on every machine: the locale is not asked, so that a story reads the same everywhere.
"""

import re
from datetime import UTC, datetime, timedelta, timezone

MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
DAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]

# The tokens of moment.js that cards use; [text] stands for itself.
TOKEN = re.compile(r"\[([^\[\]]*)\]|YYYY|YY|MMMM|MMM|MM|M|DDDD|DD|Do|D|dddd|ddd|HH|H|hh|h|mm|m|ss|s|A|a|LLLL|LT|LL|Z")

SPANS = (  # up to so many seconds, in units of so many seconds, called this; the steps of moment.js
    (45, 1, "a few seconds"),
    (90, 60, "a minute"),
    (45 * 60, 60, "{} minutes"),
    (90 * 60, 3600, "an hour"),
    (22 * 3600, 3600, "{} hours"),
    (36 * 3600, 86400, "a day"),
    (26 * 86400, 86400, "{} days"),
    (45 * 86400, 86400, "a month"),
    (320 * 86400, 30.4 * 86400, "{} months"),
    (548 * 86400, 86400, "a year"),
)


def format_date(moment: datetime, pattern: str) -> str:
    """Write a moment as a pattern of moment.js says, "dddd, MMMM Do"; what is no token stands for itself."""
    return TOKEN.sub(lambda found: _token(moment, found), pattern)


def humanize(span: timedelta) -> str:
    """Say the length of a span in words, without its direction: "3 days"."""
    seconds = abs(span.total_seconds())
    for limit, unit, words in SPANS:
        if seconds < limit:
            return words.format(round(seconds / unit))
    return f"{max(2, round(seconds / (365.25 * 86400)))} years"


def from_now(date: str, now: str) -> str | None:
    """Say how far the date is from the other, as "in 3 days" or "3 days ago"; None where one is no ISO date."""
    try:
        start, end = (_aware(datetime.fromisoformat(text.strip())) for text in (now, date))
        span = end - start
    except (ValueError, OverflowError):
        return None
    return f"in {humanize(span)}" if span.total_seconds() >= 0 else f"{humanize(span)} ago"


def at_offset(moment: datetime, hours: float) -> datetime:
    """Set a moment to a clock so many hours ahead of UTC, at most 23."""
    return _aware(moment).astimezone(timezone(timedelta(hours=max(-23.0, min(23.0, hours)))))


def _aware(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _token(moment: datetime, found: re.Match[str]) -> str:
    token = found[0]
    if token.startswith("["):
        return found[1]
    if long := {"LT": "h:mm A", "LL": "MMMM D, YYYY", "LLLL": "dddd, MMMM D, YYYY h:mm A"}.get(token):
        return format_date(moment, long)
    hour, day, month = moment.hour % 12 or 12, moment.day, MONTHS[moment.month - 1]
    half, weekday = ("AM" if moment.hour < 12 else "PM"), DAYS[moment.weekday()]
    return {
        "YYYY": f"{moment.year:04}", "YY": f"{moment.year % 100:02}",
        "MMMM": month, "MMM": month[:3], "MM": f"{moment.month:02}", "M": str(moment.month),
        "DDDD": f"{moment.timetuple().tm_yday:03}", "DD": f"{day:02}", "Do": _ordinal(day), "D": str(day),
        "dddd": weekday, "ddd": weekday[:3],
        "HH": f"{moment.hour:02}", "H": str(moment.hour), "hh": f"{hour:02}", "h": str(hour),
        "mm": f"{moment.minute:02}", "m": str(moment.minute), "ss": f"{moment.second:02}", "s": str(moment.second),
        "A": half, "a": half.lower(), "Z": moment.strftime("%z"),
    }[token]  # fmt: skip


def _ordinal(day: int) -> str:
    ending = {1: "st", 2: "nd", 3: "rd"}.get(day % 10, "th") if day not in (11, 12, 13) else "th"
    return f"{day}{ending}"
