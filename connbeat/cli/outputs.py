"""`connbeat test output`: what works, step by step, of every output that is on."""

import sys
from collections.abc import Iterator

import msgspec

from connbeat.agent.delivery.outputs import build_outputs
from connbeat.cli.options import Options
from connbeat.cli.settings import load_settings
from connbeat.clock import SystemClock
from connbeat.outputs.protocol import Check
from connbeat.telemetry.metrics import Metrics


class Line(msgspec.Struct, frozen=True):
    """One step, as `--json` prints it."""

    output: str
    step: str
    target: str
    ok: bool
    error: str
    detail: str


def run(options: Options) -> int:
    """Prints each step as soon as it is known. 1 if any failed."""
    settings = load_settings(options)
    outputs = build_outputs(settings, SystemClock(), Metrics())
    is_well = True
    for name, output in outputs.items():
        if not options.as_json:
            _print(f"output.{name}")
        for line in lines_of(name, output.checks()):
            is_well = is_well and line.ok
            _print(msgspec.json.encode(line).decode() if options.as_json else render(line))
        output.close()
    return 0 if is_well else 1


def lines_of(output: str, checks: Iterator[Check]) -> Iterator[Line]:
    for check in checks:
        yield Line(
            output=output,
            step=check.step,
            target=check.target,
            ok=not check.error,
            error=check.error,
            detail=check.detail,
        )


def render(line: Line) -> str:
    """For people: `  connect  es:9200  ok: 10.0.0.7`."""
    said = f"ok: {line.detail}" if line.detail else "ok"
    result = said if line.ok else f"FAILED: {line.error}"
    text = f"  {line.step:<8} {line.target}  {result}"
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def _print(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
