"""`sbom.py SITE`: what the image is made of, as CycloneDX 1.6 JSON on standard output.

Python packages are those installed in SITE, Debian's those of this machine (the build stage has the
same as the image), and the interpreter itself. Nothing in it depends on when or where it was made,
so two builds of one commit have the same list.
"""

import json
import platform
import sys
from collections.abc import Iterable, Iterator
from importlib.metadata import Distribution, distributions
from pathlib import Path
from typing import Any

Component = dict[str, Any]

_APPLICATION = "connbeat"
_LICENSE_FIELDS = ("License-Expression", "Classifier", "License")
_OS_RELEASE = Path("/etc/os-release")
_DPKG_STATUS = Path("/var/lib/dpkg/status")
#: Of the license field, which some fill with the whole license.
_LONGEST_NAME = 100


def bill_of_materials(site: Path, dpkg_status: str = "", os_release: str = "") -> Component:
    """The document. Raises LookupError if connbeat is not among the packages of `site`."""
    packages = {str(item["name"]): item for item in python_components(site)}
    application = packages.pop(_APPLICATION) | {"type": "application"}
    others = [
        interpreter(),
        *packages.values(),
        *debian_components(dpkg_status, distribution_of(os_release)),
    ]
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": application},
        "components": sorted(others, key=lambda item: str(item["bom-ref"])),
    }


def python_components(site: Path) -> Iterator[Component]:
    for found in distributions(path=[str(site)]):
        name = str(found.metadata["Name"])
        purl = f"pkg:pypi/{name.lower().replace('_', '-')}@{found.version}"
        licenses = licenses_of(found)
        yield component(name, found.version, purl) | ({"licenses": licenses} if licenses else {})


def licenses_of(found: Distribution) -> list[Component]:
    """An SPDX expression where the package has one, else the names it uses."""
    fields = {name: found.metadata.get_all(name) or [] for name in _LICENSE_FIELDS}
    if fields["License-Expression"]:
        return [{"expression": str(fields["License-Expression"][0])}]
    classifiers = [str(text) for text in fields["Classifier"]]
    prefix = "License :: OSI Approved :: "
    names = [text.removeprefix(prefix) for text in classifiers if text.startswith(prefix)]
    if not names:
        texts = [str(text) for text in fields["License"]]
        names = [text for text in texts if "\n" not in text and len(text) <= _LONGEST_NAME]
    return [{"license": {"name": name}} for name in names]


def interpreter() -> Component:
    version = platform.python_version()
    return component("python", version, f"pkg:generic/python@{version}")


def debian_components(status: str, distribution: str) -> Iterator[Component]:
    """The installed packages of dpkg's own file; none of a base that is not Debian's."""
    for paragraph in status.split("\n\n"):
        fields = dict(_fields(paragraph.splitlines()))
        if fields.get("Status", "").endswith(" installed"):
            name, version = fields["Package"], fields["Version"]
            where = f"arch={fields['Architecture']}&distro={distribution}"
            purl = f"pkg:deb/debian/{name}@{version.replace(':', '%3A')}?{where}"
            yield component(name, version, purl)


def distribution_of(os_release: str) -> str:
    fields = dict(line.split("=", 1) for line in os_release.splitlines() if "=" in line)
    return "-".join(fields.get(key, "").strip('"') for key in ("ID", "VERSION_ID")).strip("-")


def component(name: str, version: str, purl: str) -> Component:
    return {"type": "library", "bom-ref": purl, "name": name, "version": version, "purl": purl}


def _fields(lines: Iterable[str]) -> Iterator[tuple[str, str]]:
    for line in lines:
        name, colon, value = line.partition(": ")
        if colon and not name.startswith(" "):
            yield name, value


def _text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.exists() else ""


def main(site: Path) -> None:
    document = bill_of_materials(site, _text_of(_DPKG_STATUS), _text_of(_OS_RELEASE))
    json.dump(document, sys.stdout, indent=1, ensure_ascii=False)
    sys.stdout.write("\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
