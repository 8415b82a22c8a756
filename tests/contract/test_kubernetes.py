"""What deploy/ makes for a cluster: as kustomize and Helm render it, as the API would take it.

No cluster runs here. What is rendered (by their own code) is decoded as the API server decodes it,
and held against the schemas of the oldest and the newest API that is supported.
"""

import copy
import functools
import json
import re
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]  # its stubs are a package of their own
import pytest
import yaml

import connbeat
from connbeat.config.load import Sources, load
from tests.servers.go_program import ROOT, build

Document = dict[str, Any]

DEPLOY = ROOT / "deploy"
BASE = DEPLOY / "kubernetes" / "base"
OVERLAY = DEPLOY / "kubernetes" / "overlays" / "elasticsearch"
CHART = DEPLOY / "helm" / "connbeat"
SCHEMAS = sorted((ROOT / "tests" / "data" / "kubernetes").glob("*.json"))
APPARMOR_SINCE = "v1.37"  # of the two: the field came with 1.30

#: Everything that the chart can add to what it makes by default.
ALL_VALUES: Document = {
    "fullnameOverride": "watcher",
    "image": {"repository": "registry.example/connbeat", "tag": "1.0.0", "pullPolicy": "Always"},
    "imagePullSecrets": [{"name": "registry"}],
    "config": {"output.elasticsearch": {"hosts": ["https://es:9200"], "api_key": "${ES_API_KEY}"}},
    "http": {"port": 5067},
    "env": [{"name": "CONNBEAT_URL", "value": "http://collector/"}],
    "docker": {"enabled": True},
    "resources": {"limits": {"cpu": "500m", "memory": "512Mi"}},
    "affinity": {
        "nodeAffinity": {
            "requiredDuringSchedulingIgnoredDuringExecution": {
                "nodeSelectorTerms": [
                    {"matchExpressions": [{"key": "watched", "operator": "Exists"}]}
                ]
            }
        }
    },
    "priorityClassName": "system-node-critical",
    "podAnnotations": {"note": "1"},
    "podLabels": {"team": "network"},
}

pytestmark = pytest.mark.timeout(600)  # the first of them may have to build the renderer


def rendered(*arguments: object) -> list[Document]:
    result = _run(*arguments)
    assert result.returncode == 0, result.stderr
    checked = _run("check", text=result.stdout)
    assert checked.returncode == 0, checked.stderr
    return [document for document in yaml.safe_load_all(result.stdout) if document]


def _run(*arguments: object, text: str = "") -> subprocess.CompletedProcess[str]:
    command = [str(build("kubernetes")), *map(str, arguments)]
    return subprocess.run(command, input=text, capture_output=True, text=True, check=False)


@functools.cache
def base() -> list[Document]:
    return rendered("kustomize", BASE)


@functools.cache
def chart() -> list[Document]:
    return rendered("helm", CHART)


def with_values(tmp_path: Path, values: Mapping[str, Any]) -> list[Document]:
    path = tmp_path / "values.json"
    path.write_text(json.dumps(values))
    return rendered("helm", CHART, path)


def of_kind(documents: list[Document], kind: str) -> Document:
    found = [document for document in documents if document["kind"] == kind]
    assert len(found) == 1
    return found[0]


def pod(documents: list[Document]) -> Document:
    spec: Document = of_kind(documents, "DaemonSet")["spec"]["template"]["spec"]
    return spec


def container(documents: list[Document]) -> Document:
    (only,) = pod(documents)["containers"]
    assert isinstance(only, dict)
    return only


def faults(document: Document, schema: Path) -> list[str]:
    validator = jsonschema.Draft202012Validator(
        {"$ref": f"#/$defs/{document['kind']}", **json.loads(schema.read_text())}
    )
    return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(document)]


@pytest.mark.parametrize("schema", SCHEMAS, ids=lambda path: path.stem)
@pytest.mark.parametrize("directory", [BASE, OVERLAY], ids=lambda path: path.name)
def test_what_kustomize_makes_is_valid(directory: Path, schema: Path) -> None:
    documents = rendered("kustomize", directory)
    assert [fault for document in documents for fault in faults(document, schema)] == []


@pytest.mark.parametrize("schema", SCHEMAS, ids=lambda path: path.stem)
@pytest.mark.parametrize("values", [{}, ALL_VALUES], ids=["defaults", "everything"])
def test_what_the_chart_makes_is_valid(values: Document, schema: Path, tmp_path: Path) -> None:
    documents = with_values(tmp_path, values)
    assert [fault for document in documents for fault in faults(document, schema)] == []


def test_the_schemas_find_a_fault() -> None:
    document = json.loads(json.dumps(of_kind(base(), "DaemonSet")))
    document["spec"]["template"]["spec"]["containers"][0]["imagePullPolice"] = "Never"
    del document["spec"]["selector"]
    for schema in SCHEMAS:
        assert len(faults(document, schema)) == 2


def test_the_decoder_finds_a_fault() -> None:
    text = yaml.safe_dump(of_kind(base(), "DaemonSet")).replace("64Mi", "64 megabytes")
    assert "quantities must match" in _run("check", text=text).stderr


def test_an_apparmor_profile_may_be_given(tmp_path: Path) -> None:
    path = tmp_path / "values.json"
    path.write_text(json.dumps({"appArmorProfile": {"type": "Unconfined"}}))
    documents = list(yaml.safe_load_all(_run("helm", CHART, path).stdout))
    context = container(documents)["securityContext"]
    assert context["appArmorProfile"] == {"type": "Unconfined"}
    schema = next(path for path in SCHEMAS if path.stem == APPARMOR_SINCE)
    assert faults(of_kind(documents, "DaemonSet"), schema) == []


def test_the_chart_by_default_makes_what_the_base_makes() -> None:
    ours, theirs = (copy.deepcopy(pod(made())) for made in (base, chart))
    for made in (ours, theirs):
        made["containers"][0]["image"] = ""
        next(v for v in made["volumes"] if v["name"] == "config")["configMap"]["name"] = ""
    assert theirs == ours
    update = [of_kind(made, "DaemonSet")["spec"]["updateStrategy"] for made in (base(), chart())]
    assert update[0] == update[1]


def test_the_chart_has_the_version_of_the_agent() -> None:
    """`scripts/docs` writes both."""
    described = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert described["appVersion"] == connbeat.__version__
    semantic = re.fullmatch(r"(\d+\.\d+\.\d+)(?:-(\w+))?", described["version"])
    assert semantic is not None
    assert "".join(filter(None, semantic.groups())) == connbeat.__version__.replace(".dev", "dev")


@pytest.mark.parametrize("documents", [base, chart], ids=["base", "chart"])
def test_it_asks_the_cluster_for_no_right(documents: Any) -> None:
    kinds = {document["kind"] for document in documents()}
    assert kinds <= {"Namespace", "ServiceAccount", "ConfigMap", "DaemonSet"}
    assert of_kind(documents(), "ServiceAccount")["automountServiceAccountToken"] is False
    assert pod(documents())["automountServiceAccountToken"] is False


def test_its_capabilities_are_those_of_the_stacks() -> None:
    stack = yaml.safe_load((ROOT / "compose" / "console.yml").read_text())["services"]["connbeat"]
    assert container(base())["securityContext"]["capabilities"] == {
        "drop": stack["cap_drop"],
        "add": stack["cap_add"],
    }


def test_it_can_write_to_its_queue_and_to_tracing_and_nowhere_else() -> None:
    context = container(base())["securityContext"]
    assert (context["readOnlyRootFilesystem"], context["privileged"]) == (True, False)
    assert context["allowPrivilegeEscalation"] is False
    writable = {
        mount["mountPath"]
        for mount in container(base())["volumeMounts"]
        if not mount.get("readOnly")
    }
    assert writable == {"/var/lib/connbeat", "/sys/kernel/tracing"}


def test_without_tracing_and_capabilities_they_are_left_out(tmp_path: Path) -> None:
    documents = with_values(tmp_path, {"tracing": {"enabled": False}, "capabilities": []})
    assert container(documents)["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert "tracing" not in {volume["name"] for volume in pod(documents)["volumes"]}


def test_every_volume_is_mounted_and_every_mount_has_a_volume(tmp_path: Path) -> None:
    for documents in (base(), rendered("kustomize", OVERLAY), with_values(tmp_path, ALL_VALUES)):
        mounted = {mount["name"] for mount in container(documents)["volumeMounts"]}
        assert mounted == {volume["name"] for volume in pod(documents)["volumes"]}


@pytest.mark.parametrize(
    ("values", "fault"),
    [
        ({"capabilities": "ALL"}, "capabilities"),
        ({"http": {"port": 0}}, "port"),
        ({"dockers": {"enabled": True}}, "dockers"),
        ({"image": {"repository": ""}}, "repository"),
        ({"tracing": {"enabled": "yes"}}, "enabled"),
        ({"dataPath": "data"}, "dataPath"),
    ],
    ids=str,
)
def test_values_that_cannot_be_are_refused(values: Document, fault: str, tmp_path: Path) -> None:
    path = tmp_path / "values.json"
    path.write_text(json.dumps(values))
    result = _run("helm", CHART, path)
    assert result.returncode == 1
    assert fault in result.stderr


def configuration(documents: list[Document]) -> str:
    """The mounted file: that of the ConfigMap which the DaemonSet names."""
    config = of_kind(documents, "ConfigMap")
    volume = next(v for v in pod(documents)["volumes"] if v["name"] == "config")
    assert volume["configMap"]["name"] == config["metadata"]["name"]
    text = config["data"]["connbeat.yml"]
    assert isinstance(text, str)
    return text


@pytest.mark.parametrize("which", ["base", "overlay", "chart", "chart with everything"])
def test_the_agent_takes_its_configuration(which: str, tmp_path: Path) -> None:
    ways: dict[str, Callable[[], list[Document]]] = {
        "base": base,
        "overlay": lambda: rendered("kustomize", OVERLAY),
        "chart": chart,
        "chart with everything": lambda: with_values(tmp_path, ALL_VALUES),
    }
    documents = ways[which]()
    path = tmp_path / "connbeat.yml"
    path.write_text(configuration(documents))
    path.chmod(0o444)
    loaded = load(Sources(files=(str(path),)), {"NODE_NAME": "node-1", "ES_API_KEY": "id:key"})
    assert loaded.warnings == ()
    assert loaded.settings.name == "node-1"
    (port,) = container(documents)["ports"]
    assert loaded.settings.http.port == port["containerPort"]
    assert loaded.settings.http.host == "127.0.0.1"


def test_a_changed_configuration_rolls_the_agents(tmp_path: Path) -> None:
    other = with_values(tmp_path, {"config": {"tags": ["new"]}})
    annotations = [
        of_kind(documents, "DaemonSet")["spec"]["template"]["metadata"]["annotations"]
        for documents in (chart(), other)
    ]
    assert annotations[0]["checksum/config"] != annotations[1]["checksum/config"]
    assert re.fullmatch(r"connbeat-\w{10}", of_kind(base(), "ConfigMap")["metadata"]["name"])
