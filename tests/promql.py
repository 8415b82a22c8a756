"""As much of PromQL as our alerts and panels use, read strictly: what is not known is an error."""

import re
from dataclasses import dataclass, field

#: By function, the types of its arguments: s(calar), i(nstant vector), r(ange vector).
FUNCTIONS = {
    "histogram_quantile": "si",
    "increase": "r",
    "rate": "r",
    "resets": "r",
    "vector": "s",
}
AGGREGATIONS = {"count", "max", "min", "sum"}
SETS = {"and", "or", "unless"}
COMPARISONS = {"==", "!=", ">", "<", ">=", "<="}
ARITHMETIC = {"+", "-", "*", "/"}
OPERATORS = (SETS, COMPARISONS, ARITHMETIC)  # from the loosest to the tightest

_DURATION = r"[0-9]+(?:ms|[smhdwy])"
_TOKENS = re.compile(
    rf"\s*(?:(?P<range>\[(?:{_DURATION}|\$__rate_interval)\])|(?P<duration>{_DURATION}\b)"
    r"|(?P<number>[0-9]+(?:\.[0-9]+)?(?:e[0-9]+)?)|(?P<string>\"[^\"\\]*\")"
    r"|(?P<name>[A-Za-z_:][A-Za-z0-9_:]*)|(?P<sign>=~|!~|==|!=|>=|<=|[-+*/(){},=<>]))"
)


class NotPromql(Exception):  # noqa: N818  the answer "no" to a text
    """The expression is wrong, or more than this reader knows."""


@dataclass
class Selector:
    """What is asked for: a series, and the labels by which it is chosen."""

    name: str
    labels: list[str] = field(default_factory=list)


@dataclass
class Query:
    """An expression. `labels` are those its result is summed up by, None if it keeps all."""

    selectors: list[Selector] = field(default_factory=list)
    groupings: list[str] = field(default_factory=list)
    labels: list[str] | None = None


def read_query(text: str) -> Query:
    """Raises NotPromql."""
    reader = _Reader(text)
    kind = reader.expression(0)
    if reader.token:
        raise NotPromql(f"{reader.token!r} is left over in {text!r}")
    if kind == "r":
        raise NotPromql(f"a range is no result: {text!r}")
    return reader.query


class _Reader:
    """A token ahead; every method returns the type of what it read."""

    def __init__(self, text: str) -> None:
        self.query = Query()
        self._tokens = list(_tokens(text))
        self._index = 0

    @property
    def token(self) -> str:
        return self._tokens[self._index][1] if self._index < len(self._tokens) else ""

    @property
    def kind(self) -> str:
        return self._tokens[self._index][0] if self._index < len(self._tokens) else ""

    def take(self, *wanted: str) -> str:
        token = self.token
        if not token or (wanted and token not in wanted):
            raise NotPromql(f"found {token!r}, expected {' or '.join(wanted) or 'more'}")
        self._index += 1
        return token

    def expression(self, level: int) -> str:
        if level == len(OPERATORS):
            return self.operand()
        left = self.expression(level + 1)
        while self.token in OPERATORS[level]:
            operator = self.take()
            right = self.expression(level + 1)
            if "r" in (left, right) or (operator in SETS and "s" in (left, right)):
                raise NotPromql(f"{operator} of {left} and {right}")
            left = "i" if "i" in (left, right) else "s"
        return left

    def operand(self) -> str:
        if self.token == "(":
            self.take("(")
            kind = self.expression(0)
            self.take(")")
            return kind
        if self.kind == "number":
            self.take()
            return "s"
        if self.kind != "name":
            raise NotPromql(f"{self.token!r} is no operand")
        name = self.take()
        if name in AGGREGATIONS:
            return self.aggregation()
        if self.token == "(":
            return self.function(name)
        return self.selector(name)

    def aggregation(self) -> str:
        labels: list[str] = []
        if self.token == "by":
            self.take("by")
            labels = self.names()
        self.query.groupings += labels
        self.take("(")
        if self.expression(0) != "i":
            raise NotPromql("only an instant vector is summed up")
        self.take(")")
        self.query.labels = labels
        return "i"

    def function(self, name: str) -> str:
        if name not in FUNCTIONS:
            raise NotPromql(f"there is no function {name}")
        for number, wanted in enumerate(FUNCTIONS[name]):
            self.take("," if number else "(")
            if self.expression(0) != wanted:
                raise NotPromql(f"argument {number + 1} of {name} is no {wanted}")
        self.take(")")
        return "i"

    def selector(self, name: str) -> str:
        selector = Selector(name)
        self.query.selectors.append(selector)
        if self.token == "{":
            self.take("{")
            while self.token != "}":
                selector.labels.append(self.take())
                self.take("=", "!=", "=~", "!~")
                if self.kind != "string":
                    raise NotPromql(f"{self.token!r} is no string")
                self.take()
                if self.token != "}":
                    self.take(",")
            self.take("}")
        is_range = self.kind == "range"
        if is_range:
            self.take()
        if self.token == "offset":
            self.take("offset")
            if self.kind != "duration":
                raise NotPromql(f"{self.token!r} is no duration")
            self.take()
        return "r" if is_range else "i"

    def names(self) -> list[str]:
        self.take("(")
        names = [self.take()]
        while self.token == ",":
            self.take(",")
            names.append(self.take())
        self.take(")")
        return names


def _tokens(text: str) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    text, index = text.rstrip(), 0
    while index < len(text):
        match = _TOKENS.match(text, index)
        if match is None or match.lastgroup is None:
            raise NotPromql(f"{text[index:]!r} is nothing we know")
        found.append((match.lastgroup, match[match.lastgroup]))
        index = match.end()
    return found
