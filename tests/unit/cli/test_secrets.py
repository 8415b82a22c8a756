"""No secret of the configuration is shown anywhere: every option that may hold one has one here.

The options come from the table, so one that is added later is tried as well.
"""

import logging
import traceback
from pathlib import Path
from typing import Any

import pytest
import yaml

from connbeat.cli import export, outputs
from connbeat.cli.options import Options, PathOverrides
from connbeat.config.keystore.store import Keystore
from connbeat.config.load import Sources, load
from connbeat.config.masking import is_secret_name
from connbeat.config.option import Option, Status
from connbeat.config.options import OPTIONS
from connbeat.config.output_kinds import Hosts, TextMap
from connbeat.errors import ConfigError

SECRET = "s3cret"
_SCHEMES = {"redis": "redis", "logstash": "tcp", "kafka": "sasl_ssl"}
_NAMES = {"librdkafka": ("sasl.password", "ssl.key.pem", "sasl.oauthbearer.config")}


def is_secret(option: Option) -> bool:
    holds = isinstance(option.kind, Hosts | TextMap) or option.key.endswith("proxy_url")
    return option.status is not Status.ALIAS and (holds or is_secret_name(option.key))


KEYS = [key for key, option in OPTIONS.items() if is_secret(option)]


def value_of(key: str) -> Any:
    option = OPTIONS[key]
    _, output, name = key.split(".", 2)
    if isinstance(option.kind, Hosts):
        # Nobody listens there. A broker's name takes no user.
        if output == "kafka":
            return ["127.0.0.1:1"]
        scheme = _SCHEMES.get(output, "http")
        return [f"{scheme}://user:{SECRET}@127.0.0.1:1/x?api_key={SECRET}&code={SECRET}"]
    if isinstance(option.kind, TextMap):
        return dict.fromkeys(_NAMES.get(name, ("X-Any", "code")), SECRET)
    return f"http://user:{SECRET}@127.0.0.1:2/" if name == "proxy_url" else SECRET


def nested(pairs: dict[str, Any]) -> str:
    """YAML with one line a key, dots and all."""
    lines = (yaml.safe_dump({key: value}, width=10_000) for key, value in pairs.items())
    return "".join(lines)


def everything() -> dict[str, Any]:
    """All secrets at once."""
    return {key: value_of(key) for key in KEYS}


def write(folder: Path, text: str) -> str:
    path = folder / "connbeat.yml"
    path.write_text(text, encoding="utf-8")
    path.chmod(0o600)
    return str(path)


def told(folder: Path, text: str, *overrides: str, environment: dict[str, str]) -> str:
    """Faults, warnings and tracebacks of a configuration."""
    try:
        loaded = load(
            Sources(
                files=(write(folder, text),), overrides=overrides, paths={"path.home": str(folder)}
            ),
            environment,
        )
    except ConfigError as error:
        return "\n".join(error.faults) + "".join(traceback.format_exception(error))
    return "\n".join(loaded.warnings)


def test_there_are_secrets_in_this_test() -> None:
    for name in (
        "http.hosts", "http.password", "http.headers", "http.parameters", "http.proxy_url",
        "http.bearer_token", "http.ssl.key", "http.ssl.key_passphrase", "elasticsearch.api_key",
        "elasticsearch.password", "kafka.password", "kafka.librdkafka", "redis.password",
        "redis.password_topology", "redis.proxy_url", "logstash.proxy_url", "logstash.hosts",
    ):  # fmt: skip
        assert f"output.{name}" in KEYS
    assert nested(everything()).count(SECRET) > 40


#: What a neighbour, or the value itself, may be instead.
BREAKAGES = (
    [SECRET], {SECRET: SECRET}, [[SECRET]], {"a": [SECRET]}, [{"a": SECRET}],
    f"x:{SECRET}@h\n", f"http://u:{SECRET}@h:99999", f"http://{SECRET}@h h",
    f"${{A}}{SECRET}", f"{SECRET}${{", 5, True,
)  # fmt: skip


@pytest.mark.parametrize("broken", BREAKAGES, ids=repr)
def test_faults_and_tracebacks_show_no_secret_whatever_is_broken(
    broken: object, tmp_path: Path
) -> None:
    said = told(tmp_path, nested(everything()), environment={})
    for some in (KEYS, KEYS[::2], KEYS[1::2]):
        pairs = everything() | dict.fromkeys(some, broken) | {"connbeat.aggregation": "never"}
        said += told(tmp_path, nested(pairs), environment={})
        said += told(tmp_path, "", *(f"{key}={broken}" for key in some), environment={})
    assert said.count("output.") > 50, "some of them contradict each other, too"
    assert SECRET not in said


@pytest.mark.parametrize(
    "line",
    [
        "*{}", "!{}", "&{}", "@{}", "%{}", "'{}", '"{}', "[{}", "{{{}", "|{}", "{}: {}", "- {}",
        "\t{}", "{{{}}}", "{}\n{}", "`{}", "> {}",
    ],
)  # fmt: skip
@pytest.mark.parametrize("key", ["output.http.password", "output.http.headers"])
def test_a_password_that_somebody_forgot_to_quote_is_not_shown(
    key: str, line: str, tmp_path: Path
) -> None:
    value = line.format(SECRET, SECRET)
    said = told(tmp_path, f"name: [x]\n{key}: {value}\nother: 1\n", environment={})
    said += told(tmp_path, "", f"{key}={value}", "other=1", environment={})
    assert said
    assert SECRET not in said


@pytest.mark.parametrize(
    "line",
    [
        "connbeat.aggregation: ${API}", "connbeat.aggregation: a${API}b", "tags: {a: '${API}'}",
        "output.file: {path: /x, permissions: '${API}'}", "logging.level: ${API}",
        "output.kafka: {hosts: ['${API}://x'], topic: t}", "output.http.hosts: ${API}://x",
        "output.http: {hosts: [h], index: '${API}'}", "queue.mem.max_bytes: ${API}",
        "output.elasticsearch: {hosts: [h], index: '${API}%{['}", "connbeat: ${API}",
        "output.http.hosts: [h, '${API}:99999']", "name: ${${API}}", "name: ${X:?no ${API}}",
        "connbeat.redact: ${output.redis.password}", "connbeat.redact: ${THE_TOKEN}",
    ],
)  # fmt: skip
def test_a_secret_where_none_belongs_is_not_shown(line: str, tmp_path: Path) -> None:
    keystore = Keystore(tmp_path / "data" / "connbeat.keystore", {})
    keystore.create(force=True)
    keystore.add("API", SECRET, force=False)
    text = f"{line}\noutput.redis: {{password: {SECRET}, enabled: false}}\n"
    said = told(tmp_path, text, environment={"THE_TOKEN": SECRET})
    assert "connbeat.yml:1" in said
    assert SECRET not in said


def test_the_exported_configuration_shows_no_secret(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    keystore = Keystore(tmp_path / "data" / "connbeat.keystore", {})
    keystore.create(force=True)
    keystore.add("API", SECRET, force=False)
    off = {f"output.{name}.enabled": False for name in ("http", "kafka", "redis", "logstash")}
    off |= {"output.elasticsearch.enabled": False, "output.console.enabled": True}
    refused = {key for key in KEYS if OPTIONS[key].status is not Status.USED}
    pairs = {key: value for key, value in everything().items() if key not in refused} | off
    pairs |= {"name": "${API}", "fields": {"a": "x${API}y", "b": "${output.http.password}"}}
    pairs |= {"fields.url": f"http://u:{SECRET}@h", "fields.my_secret": [SECRET, {"a": SECRET}]}
    fields = {
        **pairs.pop("fields"),
        "url": pairs.pop("fields.url"),
        "my_secret": pairs.pop("fields.my_secret"),
    }
    options = Options(
        command="export config",
        config_files=(write(tmp_path, nested({**pairs, "fields": fields})),),
        paths=PathOverrides(home=str(tmp_path)),
    )
    assert export.run(options) == 0
    printed = capsys.readouterr()
    assert SECRET not in printed.out + printed.err
    assert printed.out.count("xxxxx") > 30


@pytest.mark.parametrize("output", ["http", "elasticsearch", "redis", "logstash"])
def test_trying_an_output_shows_no_secret_in_its_answer_or_the_log(
    output: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    pairs = {
        key: value
        for key, value in everything().items()
        if key.startswith(f"output.{output}.")
        and OPTIONS[key].status is Status.USED
        and ".ssl." not in key
        and not key.endswith(("bearer_token", "api_key", "proxy_url"))
    }
    if f"output.{output}.username" in OPTIONS:
        pairs[f"output.{output}.username"] = "user"
    pairs[f"output.{output}.timeout"] = "200ms"
    assert outputs.run(Options(config_files=(write(tmp_path, nested(pairs)),))) == 1
    printed = capsys.readouterr()
    assert "FAILED" in printed.out
    assert SECRET not in printed.out + printed.err + caplog.text
