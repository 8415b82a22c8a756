import stat
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from packages.tree import LEFT_OUT, build, distribution, notice, settle

METADATA = "Metadata-Version: 2.4\nName: {}\nVersion: 1.0\n"


def make_wheel(folder: Path, name: str, files: Mapping[str, str], *, about: str = "") -> Path:
    """A wheel of the files; `name` is all of the file's name but its end."""
    project, version, *_ = name.split("-")
    info = f"{project}-{version}.dist-info"
    wheel = folder / f"{name}.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr(f"{info}/METADATA", METADATA.format(project) + about)
        archive.writestr(f"{info}/WHEEL", name)
        archive.writestr(f"{info}/RECORD", name)
        for path, content in files.items():
            archive.writestr(path, content)
    return wheel


def files_of(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_wheels_of_several_pythons_become_one_folder(tmp_path: Path) -> None:
    old = make_wheel(
        tmp_path, "fast-1.0-cp311-cp311-linux", {"fast/a.py": "a", "fast/b.cpython-311.so": "11"}
    )
    new = make_wheel(
        tmp_path, "fast-1.0-cp312-cp312-linux", {"fast/a.py": "a", "fast/b.cpython-312.so": "12"}
    )
    build([new, old], tmp_path / "site")
    assert files_of(tmp_path / "site") == {
        "__main__.py",
        "fast/a.py",
        "fast/b.cpython-311.so",
        "fast/b.cpython-312.so",
        "fast-1.0.dist-info/METADATA",
    }


def test_a_path_with_two_contents_is_refused(tmp_path: Path) -> None:
    old = make_wheel(tmp_path, "fast-1.0-cp311-cp311-linux", {"fast/a.py": "for 3.11"})
    new = make_wheel(tmp_path, "fast-1.0-cp312-cp312-linux", {"fast/a.py": "for 3.12"})
    with pytest.raises(ValueError, match=r"cp312-linux.whl: another wheel has another fast/a.py"):
        build([old, new], tmp_path / "site")


def test_what_only_an_installer_could_place_is_refused(tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path, "tool-1.0-py3-none-any", {"tool-1.0.data/scripts/tool": "#!"})
    with pytest.raises(ValueError, match="for an installer to place"):
        build([wheel], tmp_path / "site")


@pytest.mark.parametrize("path", ["../escaped.py", "/escaped.py", "a/../../escaped.py"])
def test_nothing_is_written_beside_the_folder(tmp_path: Path, path: str) -> None:
    wheel = make_wheel(tmp_path, "evil-1.0-py3-none-any", {path: "x"})
    with pytest.raises(ValueError, match="leads out of the folder"):
        build([wheel], tmp_path / "site")
    assert not (tmp_path / "escaped.py").exists()


def test_what_nothing_loads_is_left_out(tmp_path: Path) -> None:
    names = [name.replace("-", "_") for name in LEFT_OUT]
    wheels = [make_wheel(tmp_path, f"{name}-1-py3-none-any", {"x.py": "x"}) for name in names]
    build(wheels, tmp_path / "site")
    assert files_of(tmp_path / "site") == {"__main__.py"}


def test_a_folder_of_before_is_gone(tmp_path: Path) -> None:
    site = tmp_path / "site"
    site.mkdir()
    (site / "old.py").touch()
    build([], site)
    assert files_of(site) == {"__main__.py"}


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("PyYAML-6.0.3-cp311-cp311-manylinux_2_17.whl", "pyyaml"),
        ("charset_normalizer-3.5.2-py3-none-any.whl", "charset-normalizer"),
    ],
)
def test_a_distribution_is_named_as_indexes_do(file: str, name: str) -> None:
    assert distribution(Path(file)) == name


@pytest.mark.parametrize(
    ("about", "licence"),
    [
        ("License-Expression: MIT\nLicense: no\n", "MIT"),
        ("License: Apache 2\n", "Apache 2"),
        ("License: Copyright\n  and so on\nClassifier: License :: OSI Approved :: X\n", "X"),
        ("Classifier: License :: OSI Approved :: BSD License\n", "BSD License"),
        ("", "see its own text"),
    ],
)
def test_the_notice_names_the_licence_of_each(tmp_path: Path, about: str, licence: str) -> None:
    wheels = [
        make_wheel(tmp_path, "other-1.0-py3-none-any", {}, about=about),
        make_wheel(tmp_path, "connbeat-1.0-py3-none-any", {}),
    ]
    build(wheels, tmp_path / "site")
    assert notice(tmp_path / "site").splitlines()[3:] == [f"other 1.0: {licence}"]


def test_modes_and_times_are_the_same_whoever_builds(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir(mode=0o700)
    module, program = tmp_path / "folder" / "module.py", tmp_path / "folder" / "program"
    for path, mode in ((module, 0o600), (program, 0o775)):
        path.touch()
        path.chmod(mode)
    settle(tmp_path, 1_000_000_000)
    modes = [stat.S_IMODE(path.stat().st_mode) for path in (module, program, module.parent)]
    assert modes == [0o644, 0o755, 0o755]
    assert {path.stat().st_mtime for path in (module, module.parent, tmp_path)} == {1e9}
