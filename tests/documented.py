"""The commands that a page tells people to call, and which test calls them."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]

#: The pages that a newcomer follows. All their commands are called by a test.
PAGES = (ROOT / "README.md", ROOT / "docs" / "quickstart.md")

_BLOCK = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_YAML = re.compile(r"^```yaml\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_PROGRAMS = "make|docker|docker-compose|pip|connbeat|kubectl|helm|python3|\\.venv/bin/connbeat"
_INLINE = re.compile(rf"`((?:{_PROGRAMS}) [^`]+)`")
_REMARK = re.compile(r"(?:^|\s+)#\s.*$")

_HERE = "tests/system/test_quickstart.py::test_a_documented_command"
_IMAGE = "tests/system/test_image.py"
_ALONE = f"{_IMAGE}::test_with_no_privilege_it_names_the_container_by_id_and_says_what_is_missing"
_STACKS = "tests/system/test_stacks.py"
_DEMO = f"{_STACKS}::test_the_demo_tells_the_edges_it_declares"
_COMPOSE_DEMO = "docker-compose -f compose/demo.yml"

#: Each command, and the test that calls it, or does the same with a name of its own.
CALLED_BY = {
    ".venv/bin/connbeat show": f"{_HERE}_succeeds",
    ".venv/bin/connbeat doctor": f"{_HERE}_succeeds",
    ".venv/bin/connbeat test config -c connbeat.yml": f"{_HERE}_succeeds",
    ".venv/bin/connbeat test output": f"{_HERE}_succeeds",
    ".venv/bin/connbeat test output -c connbeat.yml": f"{_HERE}_succeeds",
    ".venv/bin/connbeat run -c connbeat.yml": f"{_HERE}_runs_until_it_is_stopped",
    ".venv/bin/connbeat run -E connbeat.poll_interval=1s -E output.console.pretty=true": (
        f"{_HERE}_runs_until_it_is_stopped"
    ),
    "make run": f"{_HERE}_runs_until_it_is_stopped",
    "make setup": ".ci/run",
    "make test": ".ci/run",  # its last line does what the target does
    "make site": "tests/contract/test_site.py::test_the_site_is_built_without_a_warning",
    "make image": _ALONE,
    "make package": (
        "tests/system/test_packages.py::test_two_builds_of_one_commit_are_the_same_bytes"
    ),
    "make image BASE=...": f"{_IMAGE}::test_no_compiler_and_no_pip_is_left_in_it",
    "pip install connbeat[all]": f"{_IMAGE}::test_every_client_library_works_in_the_image",
    "docker run --rm --pid=host --net=host connbeat": _ALONE,
    "docker run --pid=host --net=host connbeat": _ALONE,
    "docker run --net=container:web --pid=container:web connbeat": (
        f"{_IMAGE}::test_a_sidecar_sees_its_container"
    ),
    "docker-compose -f compose/console.yml up": f"{_STACKS}::test_console_reports_names",
    f"{_COMPOSE_DEMO} up -d": _DEMO,
    f"{_COMPOSE_DEMO} logs --no-log-prefix connbeat | python3 compose/demo/edges.py": _DEMO,
    f"{_COMPOSE_DEMO} down -v": _DEMO,
}


def commands(page: Path) -> list[str]:
    """Those of its blocks of `sh`, then those that stand in its text, each once."""
    text = page.read_text(encoding="utf-8")
    found = [command for block in _BLOCK.findall(text) for command in _lines(block)]
    inline = [
        re.sub(r"^connbeat ", ".venv/bin/connbeat ", command)
        for command in _INLINE.findall(_BLOCK.sub("", text))
    ]
    return list(dict.fromkeys(found + inline))


def configuration(page: Path) -> str:
    """The connbeat.yml that the page shows."""
    return str(_YAML.findall(page.read_text(encoding="utf-8"))[0])


def _lines(block: str) -> list[str]:
    lines = (_REMARK.sub("", line).strip() for line in block.replace("\\\n", " ").splitlines())
    return [re.sub(r"\s+", " ", line) for line in lines if line]
