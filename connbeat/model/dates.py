"""Dates in Joda's letters, as libbeat's format strings have them; always UTC. Pure."""

import datetime as dt
import re
from collections.abc import Callable

_Moment = dt.datetime
_TOKEN = re.compile(r"'(?P<quoted>(?:[^']|'')*)'|(?P<letters>([A-Za-z])\3*)|(?P<other>[^A-Za-z']+)")


def _twelve(hour: int) -> int:
    return hour % 12 or 12


#: letter: the number it stands for
_NUMBERS: dict[str, Callable[[_Moment], int]] = {
    "y": lambda moment: moment.year,
    "Y": lambda moment: moment.year,
    "x": lambda moment: moment.isocalendar().year,
    "M": lambda moment: moment.month,
    "d": lambda moment: moment.day,
    "D": lambda moment: moment.timetuple().tm_yday,
    "w": lambda moment: moment.isocalendar().week,
    "e": lambda moment: moment.isoweekday(),
    "K": lambda moment: moment.hour % 12,
    "h": lambda moment: _twelve(moment.hour),
    "H": lambda moment: moment.hour,
    "k": lambda moment: moment.hour or 24,
    "m": lambda moment: moment.minute,
    "s": lambda moment: moment.second,
}
# Written out, for `calendar` speaks the language of the machine.
_MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_YEARS = "yYx"


def date_format(pattern: str) -> Callable[[int], str]:
    """A function of nanoseconds since the epoch. Raises ValueError for a letter nobody knows.

    The last second is remembered, since events come in the order of time. Any thread may call it.
    """
    parts = tuple(_parts(pattern))
    if not parts:
        raise ValueError("found nothing, expected letters such as yyyy.MM.dd")
    last = (-1, "")

    def render(timestamp_ns: int) -> str:
        nonlocal last
        second = timestamp_ns // 1_000_000_000
        known, text = last
        if known != second:
            moment = dt.datetime.fromtimestamp(second, dt.UTC)
            text = "".join([part(moment) for part in parts])
            last = (second, text)
        return text

    return render


def _parts(pattern: str) -> list[Callable[[_Moment], str]]:
    parts = []
    at = 0
    while at < len(pattern):
        match = _TOKEN.match(pattern, at)
        if match is None:
            raise ValueError("found ' without a second one")
        parts.append(_part(match))
        at = match.end()
    return parts


def _part(match: re.Match[str]) -> Callable[[_Moment], str]:
    letters = match["letters"]
    if letters is None:
        text = match["other"] or match["quoted"].replace("''", "'") or "'"
        return lambda _: text
    letter, count = letters[0], len(letters)
    if letter == "a":
        return lambda moment: "AM" if moment.hour < 12 else "PM"
    if letter == "E":
        return lambda moment: _name(_DAYS[moment.weekday()], count)
    if letter == "M" and count > 2:
        return lambda moment: _name(_MONTHS[moment.month - 1], count)
    if letter not in _NUMBERS:
        raise ValueError(f"found {letter!r}, expected one of yYxMdDweEaKhHkms")
    number = _NUMBERS[letter]
    if letter in _YEARS and count == 2:
        return lambda moment: f"{number(moment) % 100:02d}"
    return lambda moment: f"{number(moment):0{count}d}"


def _name(name: str, letters: int) -> str:
    return name if letters > 3 else name[:3]
