"""docker/stage/sbom.py: the list of what the image is made of."""

import runpy
from pathlib import Path
from typing import Any

import pytest

SCRIPT = Path(__file__).parents[3] / "docker" / "stage" / "sbom.py"
bill_of_materials = runpy.run_path(str(SCRIPT))["bill_of_materials"]

STATUS = """\
Package: libssl3
Status: install ok installed
Architecture: amd64
Version: 3.0.15-1~deb12u1
Description: a library
 Version: 9 (this is text)

Package: gone
Status: deinstall ok config-files
Architecture: amd64
Version: 1

Package: tzdata
Status: install ok installed
Architecture: all
Version: 1:2024a-0
"""
OS_RELEASE = 'NAME="Debian GNU/Linux"\nVERSION_ID="12"\nID=debian\n'


def install(site: Path, name: str, version: str, *fields: str) -> None:
    folder = site / f"{name}-{version}.dist-info"
    folder.mkdir()
    lines = ["Metadata-Version: 2.4", f"Name: {name}", f"Version: {version}", *fields]
    (folder / "METADATA").write_text("\n".join(lines) + "\n\nLicense: not this, it is text\n")


@pytest.fixture
def site(tmp_path: Path) -> Path:
    install(tmp_path, "connbeat", "1.0.0", "License-Expression: Apache-2.0")
    install(tmp_path, "Some_Thing", "2", "Classifier: License :: OSI Approved :: MIT License")
    install(tmp_path, "old", "3", "License: BSD")
    install(tmp_path, "silent", "4")
    return tmp_path


def components(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {item["purl"].partition("?")[0]: item for item in document["components"]}


def test_the_application_is_what_it_is_about(site: Path) -> None:
    about = bill_of_materials(site)["metadata"]["component"]
    assert (about["type"], about["purl"]) == ("application", "pkg:pypi/connbeat@1.0.0")
    assert about["licenses"] == [{"expression": "Apache-2.0"}]


def test_every_package_has_its_version_and_its_license_where_it_says_one(site: Path) -> None:
    found = components(bill_of_materials(site))
    assert found["pkg:pypi/some-thing@2"]["licenses"] == [{"license": {"name": "MIT License"}}]
    assert found["pkg:pypi/old@3"]["licenses"] == [{"license": {"name": "BSD"}}]
    assert "licenses" not in found["pkg:pypi/silent@4"]


def test_the_packages_of_debian_that_are_installed_are_in_it(site: Path) -> None:
    found = components(bill_of_materials(site, STATUS, OS_RELEASE))
    debian = sorted(purl for purl in found if purl.startswith("pkg:deb/"))
    assert debian == [
        "pkg:deb/debian/libssl3@3.0.15-1~deb12u1",
        "pkg:deb/debian/tzdata@1%3A2024a-0",
    ]
    assert found[debian[0]]["purl"].endswith("?arch=amd64&distro=debian-12")


def test_two_lists_of_the_same_are_the_same(site: Path) -> None:
    first = bill_of_materials(site, STATUS, OS_RELEASE)
    assert first == bill_of_materials(site, STATUS, OS_RELEASE)
    references = [item["bom-ref"] for item in first["components"]]
    assert references == sorted(set(references))


def test_a_site_without_the_application_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LookupError):
        bill_of_materials(tmp_path)
