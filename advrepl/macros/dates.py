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

# The tokens of moment.js; [text] stands for itself.
TOKEN = re.compile(
    r"\[([^\[\]]*)\]|YYYYYY|YYYYY|YYYY|YY|y{1,4}|M(?:o|M{0,3})|DDDo|D(?:o|D{0,3})|d(?:o|d{0,3})|Qo?|[wW](?:o|[wW])?"
    r"|[Hh]mm(?:ss)?|HH?|hh?|kk?|mm?|ss?|S{1,9}|A|a|LTS|LT|L{1,4}|l{1,4}|ZZ?|zz?|X|x|E|e|gg(?:gg)?|GG(?:GG)?|N{1,5}"
)
LONG = {
    "LT": "h:mm A", "LTS": "h:mm:ss A", "L": "MM/DD/YYYY", "LL": "MMMM D, YYYY", "LLL": "MMMM D, YYYY h:mm A",
    "LLLL": "dddd, MMMM D, YYYY h:mm A", "l": "M/D/YYYY", "ll": "MMM D, YYYY", "lll": "MMM D, YYYY h:mm A",
    "llll": "ddd, MMM D, YYYY h:mm A", "Hmm": "H[]mm", "hmm": "h[]mm", "Hmmss": "H[]mm[]ss", "hmmss": "h[]mm[]ss",
}  # fmt: skip

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
    return TOKEN.sub(lambda found: _token(moment, found), pattern or "YYYY-MM-DDTHH:mm:ssZ")


def humanize(span: timedelta) -> str:
    """Say the length of a span in words, without its direction: "3 days"."""
    seconds = abs(span.total_seconds())
    for limit, unit, words in SPANS:
        if seconds < limit:
            return words.format(round(seconds / unit))
    return f"{max(2, round(seconds / (365.25 * 86400)))} years"


def from_now(date: str, now: str) -> str:
    """Say how far the date is from the other, as "in 3 days" or "3 days ago"; of what is no ISO date, that."""
    try:
        start, end = (_aware(datetime.fromisoformat(text.strip())) for text in (now, date))
        span = end - start
    except (ValueError, OverflowError):
        return "Invalid date"
    return f"in {humanize(span)}" if span.total_seconds() > 0 else f"{humanize(span)} ago"


def at_offset(moment: datetime, hours: float) -> datetime:
    """Set a moment to a clock so many hours ahead of UTC, at most 23."""
    return _aware(moment).astimezone(timezone(timedelta(hours=max(-23.0, min(23.0, hours)))))


def _aware(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _token(moment: datetime, found: re.Match[str]) -> str:
    token = found[0]
    if token.startswith("["):
        return found[1]
    if token in LONG:
        return format_date(moment, LONG[token])
    if token in ("Mo", "Do", "DDDo", "do", "Qo", "wo", "Wo"):
        return _ordinal(int(format_date(moment, token[:-1])))
    if token[0] == "S":
        return f"{moment.microsecond:06}000"[: len(token)]
    return _clock(moment, token) or _calendar(moment, token)


def _clock(moment: datetime, token: str) -> str:
    hour, zone = moment.hour % 12 or 12, moment.strftime("%z") or "+0000"
    half, seconds = ("AM" if moment.hour < 12 else "PM"), _aware(moment).timestamp()
    return {
        "HH": f"{moment.hour:02}", "H": str(moment.hour), "hh": f"{hour:02}", "h": str(hour),
        "kk": f"{moment.hour or 24:02}", "k": str(moment.hour or 24),
        "mm": f"{moment.minute:02}", "m": str(moment.minute), "ss": f"{moment.second:02}", "s": str(moment.second),
        "A": half, "a": half.lower(), "Z": f"{zone[:3]}:{zone[3:5]}", "ZZ": zone[:5],
        "X": str(int(seconds)), "x": str(int(seconds * 1000)),
    }.get(token, "")  # fmt: skip


def _calendar(moment: datetime, token: str) -> str:
    day, month, year = moment.day, MONTHS[moment.month - 1], moment.year
    weekday, day_of_year = DAYS[moment.weekday()], moment.timetuple().tm_yday
    week, week_year = _week(moment)
    iso = moment.isocalendar()
    return {
        "YYYYYY": f"+{year:06}", "YYYYY": f"{year:05}", "YYYY": f"{year:04}", "YY": f"{year % 100:02}",
        "y": str(year), "yy": f"{year:02}", "yyy": f"{year:03}", "yyyy": f"{year:04}",
        "MMMM": month, "MMM": month[:3], "MM": f"{moment.month:02}", "M": str(moment.month),
        "DDDD": f"{day_of_year:03}", "DDD": str(day_of_year), "DD": f"{day:02}", "D": str(day),
        "dddd": weekday, "ddd": weekday[:3], "dd": weekday[:2], "d": str(iso.weekday % 7), "e": str(iso.weekday % 7),
        "E": str(iso.weekday), "Q": str((moment.month + 2) // 3), "w": str(week), "ww": f"{week:02}",
        "W": str(iso.week), "WW": f"{iso.week:02}", "gg": f"{week_year % 100:02}", "gggg": str(week_year),
        "GG": f"{iso.year % 100:02}", "GGGG": str(iso.year), "NNNN": "Anno Domini", "z": "", "zz": "",
    }.get(token, "AD" if token[0] == "N" else token)  # fmt: skip


def _week(moment: datetime) -> tuple[int, int]:
    """The week as it is counted in America, and its year: it begins on Sunday; the first has the first of January."""
    saturday = moment + timedelta(days=6 - moment.isoweekday() % 7)
    return (saturday.timetuple().tm_yday + 6) // 7, saturday.year


def _ordinal(day: int) -> str:
    ending = {1: "st", 2: "nd", 3: "rd"}.get(day % 10, "th") if day not in (11, 12, 13) else "th"
    return f"{day}{ending}"
