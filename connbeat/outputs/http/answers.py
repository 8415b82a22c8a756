"""What an answer means for the events that were sent. Pure.

Three kinds of "no" are told apart by whose fault it is. The event's own (400, 413, 422, ...): it
would be refused again, so it is given up. The server's state (408, 429, 5xx): later. And that we
do not reach what we were meant to (401, 403, 404, 405, 407, a redirect): the events are good, so
they wait for whoever repairs the configuration or the gateway, and the log keeps saying so.
"""

import enum
from email.utils import parsedate_to_datetime

import msgspec


class Meaning(enum.Enum):
    """What becomes of the events of the request."""

    TAKEN = enum.auto()
    REFUSED = enum.auto()
    TOO_LARGE = enum.auto()
    LATER = enum.auto()
    MISDIRECTED = enum.auto()


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """The parts of an answer that matter. `text` is the beginning of the body."""

    status: int
    text: str = ""
    retry_after: str = ""
    location: str = ""


_MISDIRECTED = {401, 403, 404, 405, 407}
_LATER = {408, 421, 425, 429}
#: What these two mean is known; every other one is said with its number alone.
_WORDS = {
    401: "the server wants other credentials",
    403: "the server does not let these credentials write",
    404: "there is nothing at this path",
    405: "nothing can be posted at this path",
    407: "the proxy wants other credentials",
}


def meaning_of(answer: Answer) -> Meaning:
    status = answer.status
    if 200 <= status < 300:
        return Meaning.TAKEN
    if status == 413:
        return Meaning.TOO_LARGE
    if status in _LATER or status >= 500:
        return Meaning.LATER
    if status in _MISDIRECTED or status < 400:
        return Meaning.MISDIRECTED
    return Meaning.REFUSED


def describe(answer: Answer) -> str:
    """For the log, on one line: `503 overloaded`."""
    if answer.location and 300 <= answer.status < 400:
        return f"{answer.status}, a redirect to {answer.location}, which is not followed"
    words = _WORDS.get(answer.status, "")
    return " ".join(filter(None, (f"{answer.status}", words, answer.text)))


def retry_after_seconds(text: str, now_ns: int) -> float:
    """What `Retry-After` asks for, in seconds or as a date; 0 for what makes no sense."""
    if text.isascii() and text.isdecimal():
        return float(text[:9])
    try:
        due = parsedate_to_datetime(text)
        return max(0.0, due.timestamp() - now_ns / 1e9)
    except (ValueError, TypeError, OverflowError):
        return 0.0
