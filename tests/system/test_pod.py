"""The agent as the pod of deploy/kubernetes: its privileges, mounts and configuration."""

import json
import urllib.request
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.servers.go_program import ROOT, build
from tests.servers.processes import free_port
from tests.system.harness import Containers, Document, call, wait_until

pytestmark = [pytest.mark.docker, pytest.mark.slow, pytest.mark.timeout(900)]

BASE = ROOT / "deploy" / "kubernetes" / "base"
UID = "2c48913c-b29f-11e7-9350-020968147796"


class Pod:
    """What kustomize makes of the base, as options of `docker run`."""

    def __init__(self, folder: Path, links: Path) -> None:
        text = call(str(build("kubernetes")), "kustomize", str(BASE))
        made = {document["kind"]: document for document in yaml.safe_load_all(text)}
        self._spec = made["DaemonSet"]["spec"]["template"]["spec"]
        (self._container,) = self._spec["containers"]
        self.port = free_port()
        self._config = folder / "connbeat.yml"
        told = made["ConfigMap"]["data"]["connbeat.yml"]
        self._config.write_text(told.replace("port: 5066", f"port: {self.port}"))
        self._config.chmod(0o444)
        self._links = links

    def options(self) -> list[str]:
        context = self._container["securityContext"]
        assert self._spec["hostPID"] is self._spec["hostNetwork"] is True
        assert context["readOnlyRootFilesystem"] is True
        assert context["allowPrivilegeEscalation"] is False
        capabilities = context["capabilities"]
        return [
            "--pid=host",
            "--net=host",
            "--read-only",
            "--security-opt=no-new-privileges",
            f"--user={context['runAsUser']}",
            *(f"--cap-drop={name}" for name in capabilities["drop"]),
            *(f"--cap-add={name}" for name in capabilities["add"]),
            "--env=NODE_NAME=node-1",
            *(f"--volume={mount}" for mount in self._mounts()),
        ]

    def _mounts(self) -> list[str]:
        volumes = {volume["name"]: volume for volume in self._spec["volumes"]}
        mounts = []
        for mount in self._container["volumeMounts"]:
            where = mount["mountPath"]
            mode = ":ro" if mount.get("readOnly") else ""
            mounts.append(f"{self._source(volumes[mount['name']])}:{where}{mode}")
        return mounts

    def _source(self, volume: dict[str, Any]) -> str:
        """The node's directories, but those that are the test's own."""
        own = {
            "config": str(self._config.parent),
            "pods": str(self._links),
            "data": f"{self._config.parent}/data",
        }
        return own.get(volume["name"]) or str(volume["hostPath"]["path"])

    def get(self, kind: str) -> int:
        probe = self._container[f"{kind}Probe"]["httpGet"]
        url = f"http://{probe['host']}:{self.port}{probe['path']}"
        with urllib.request.urlopen(url, timeout=5) as response:
            return int(response.status)


def test_it_runs_with_what_the_pod_may_and_names_the_pod_of_a_container(
    image: str, containers: Containers, tmp_path: Path
) -> None:
    server = containers.busybox("server", "httpd", "-f", "-p", "8123")
    links, folder = tmp_path / "containers", tmp_path / "config"
    links.mkdir()
    folder.mkdir()
    target = f"/var/log/pods/shop_web-7f9c_{UID}/nginx/0.log"
    (links / f"web-7f9c_shop_nginx-{server}.log").symlink_to(target)
    pod = Pod(folder, links)
    agent = containers.run(*pod.options(), image)

    found: list[Document] = []

    def is_there() -> bool:
        lines = containers.logs(agent)[0].splitlines()
        found[:] = [event for event in map(json.loads, lines) if event["local_port"] == 8123]
        return bool(found)

    wait_until(is_there, 20, "the listener on 8123")
    container = found[0]["container"]
    assert (container["id"], container["name"], container["runtime"]) == (server, "nginx", "docker")
    assert found[0]["kubernetes"] == {
        "namespace": "shop",
        "pod": {"name": "web-7f9c", "uid": UID},
        "container": {"name": "nginx"},
    }
    assert found[0]["local_process"]["binary"] == "busybox"
    assert found[0]["beat"]["name"] == "node-1"
    log = containers.logs(agent)[1]
    assert "rung=nat" in log, log
    for kind in ("startup", "liveness", "readiness"):
        assert pod.get(kind) == 200
