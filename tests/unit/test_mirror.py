"""connbeat/a/b.py has its tests in tests/unit/a/test_b.py."""

from pathlib import Path

ROOT = Path(__file__).parents[2]

#: Modules without a twin, and what tests them instead. The list should shrink.
WITHOUT_TWIN = {
    "__main__.py": "one call; every system test makes it",
    "agent/supervise.py": "start, signals, stop: tests/system",
    "cli/show.py": "one look at the machine: tests/system",
    "cli/run.py": "the command of every system test",
    "errors.py": "declarations alone",
    "events/policy.py": "declarations alone",
    "linux/limits.py": "declarations alone",
    "outputs/file/config.py": "declarations alone",
    "outputs/console/config.py": "declarations alone",
    "model/batches.py": "declarations alone",
    "model/connections.py": "declarations alone",
    "model/containers.py": "declarations alone",
    "model/processes.py": "declarations alone",
    "model/schemas.py": "declarations alone",
    "model/targets.py": "declarations alone",
    "cli/options.py": "declarations alone",
    "processors/protocol.py": "declarations alone",
    "config/processors/additions.py": "declarations alone: test_registry holds them to the Structs",
    "config/processors/declared.py": "declarations alone",
    "config/processors/fields.py": "declarations alone: test_registry holds them to the Structs",
}


def sources() -> set[str]:
    return {
        str(path.relative_to(ROOT / "connbeat"))
        for path in (ROOT / "connbeat").rglob("*.py")
        if path.name != "__init__.py"
    }


def twin(source: str) -> Path:
    path = ROOT / "tests" / "unit" / source
    return path.with_name(f"test_{path.name}")


def test_every_module_has_its_twin_among_the_tests() -> None:
    missing = {source for source in sources() if not twin(source).exists()}
    assert sorted(missing - set(WITHOUT_TWIN)) == []


def test_the_exceptions_are_still_exceptions() -> None:
    assert sorted(set(WITHOUT_TWIN) - sources()) == [], "gone: take them off the list"
    found = {source for source in WITHOUT_TWIN if twin(source).exists()}
    assert sorted(found) == [], "have a twin now: take them off the list"
