"""`${...}` taken apart. Pure syntax: what a name stands for is `expand`'s business.

    ${NAME}  ${a.b}  ${NAME:default}  ${NAME:+instead}  ${NAME:?message}  $${literal}

Names and what follows the colon may hold further `${...}`; `$}` there is a closing brace that
closes nothing. A `$` before anything else is a dollar: passwords have them.
"""

import msgspec

_OPERATORS = (":+", ":?", ":")
_MAX_DEPTH = 20


class Reference(msgspec.Struct, frozen=True):
    """One `${name}`, `operator` being "", ":", ":+" or ":?", and `rest` what follows it."""

    name: "Pieces"
    operator: str
    rest: "Pieces"


Pieces = tuple[str | Reference, ...]


class TemplateError(Exception):
    """The text is no template; the message says what is wrong with it."""


def parse_template(text: str) -> Pieces:
    """Raises TemplateError."""
    return _Parser(text).parse() if "${" in text else (text,)


class _Parser:
    """Reads from left to right, once."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._depth = 0

    def parse(self) -> Pieces:
        return self._pieces(ends=())

    def _pieces(self, ends: tuple[str, ...]) -> Pieces:
        """Up to one of `ends` or the end of the text; the end itself is left to the caller."""
        pieces: list[str | Reference] = []
        literal = ""
        while self._at < len(self._text) and not self._text.startswith(ends, self._at):
            if self._text.startswith("${", self._at):
                pieces += filter(None, [literal])
                literal = ""
                pieces.append(self._reference())
            else:
                literal += self._character(is_inside=bool(ends))
        return (*pieces, *filter(None, [literal]))

    def _character(self, *, is_inside: bool) -> str:
        for written, meant in (("$${", "${"), ("$}", "}" if is_inside else "$}")):
            if self._text.startswith(written, self._at):
                self._at += len(written)
                return meant
        self._at += 1
        return self._text[self._at - 1]

    def _reference(self) -> Reference:
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise TemplateError(f"${{...}} nested more than {_MAX_DEPTH} levels deep")
        self._at += len("${")
        name = self._pieces(ends=(":", "}"))
        if not name and self._at < len(self._text):
            raise TemplateError("found ${} without a name, expected ${NAME}")
        operator = next((op for op in _OPERATORS if self._text.startswith(op, self._at)), "")
        self._at += len(operator)
        rest = self._pieces(ends=("}",)) if operator else ()
        if self._at >= len(self._text):
            raise TemplateError("found ${ without }, expected ${NAME}, or $${ for the characters")
        self._at += len("}")
        self._depth -= 1
        return Reference(name, operator, rest)
