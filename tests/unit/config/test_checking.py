import pytest

from connbeat.config.checking import check
from connbeat.config.document import parse_document
from connbeat.config.faults import Findings
from connbeat.config.schema import OutputConsoleConfig, OutputFileConfig, Settings
from connbeat.errors import ConfigError


def checked(text: str, *, are_unknown_keys_faults: bool = True) -> tuple[Settings, Findings]:
    findings = Findings()
    root = parse_document(text, "f.yml", findings)
    return check(root, findings, are_unknown_keys_faults=are_unknown_keys_faults), findings


def faults_of(text: str) -> tuple[str, ...]:
    with pytest.raises(ConfigError) as caught:
        checked(text)[1].raise_faults()
    return caught.value.faults


def settings_of(text: str) -> Settings:
    settings, findings = checked(text)
    findings.raise_faults()
    return settings


@pytest.mark.parametrize(
    ("text", "has_console", "has_file"),
    [
        ("", True, False),
        ("output:", True, False),
        ("output.console:", True, False),
        ("output.file:", True, False),
        ("output.console.pretty: true", True, False),
        ("output.file.path: /x", False, True),
        ("output: {file: {path: /x}, console: {enabled: on}}", True, True),
        ("output: {file: {path: /x}, console: {pretty: true, enabled: off}}", False, True),
        ("output: {file: {path: /x, enabled: no}, console: {pretty: true}}", True, False),
        ("output: {file: {path: /x, enabled: ~}}", False, True),
        ("output: {kafka: {enabled: false, hosts: [a]}, console: {enabled: true}}", True, False),
    ],
)
def test_an_output_is_on_when_it_is_configured_and_the_console_when_none_is(
    text: str, has_console: bool, has_file: bool
) -> None:
    settings = settings_of(text)
    assert (settings.output_console is not None) is has_console
    assert (settings.output_file is not None) is has_file


def test_options_arrive_in_their_fields() -> None:
    settings = settings_of(
        "name: n\nshutdown_timeout: 1m\nqueue.mem.flush: {timeout: 5, min_events: 7}\n"
        "logging: {level: DEBUG, metrics.period: 1m}\noutput.console.pretty: yes\n"
        "output.file: {path: /x, permissions: 0640, rotate_on_startup: no}\n"
    )
    assert settings.shutdown_timeout_seconds == 60
    assert settings.queue_mem.flush_timeout_seconds == 5
    assert settings.queue_mem.flush_min_events == 7
    assert (settings.logging.level, settings.logging.metrics_period_seconds) == ("debug", 60)
    assert settings.output_console == OutputConsoleConfig(pretty=True)
    assert settings.output_file == OutputFileConfig(
        path="/x", permissions=0o640, rotate_on_startup=False
    )


def test_a_key_without_value_is_the_default() -> None:
    assert settings_of("connbeat: {enable_tcp_diag: , aggregation: ~}\ntags:\n") == settings_of("")


def test_one_text_for_a_list_is_taken_with_a_warning() -> None:
    settings, findings = checked("tags: web")
    assert settings.tags == ("web",)
    assert findings.warnings == (
        "f.yml:1: tags: found 'web', taken as a list of one; [web] says it clearly",
    )


@pytest.mark.parametrize("output", ["elasticsearch", "http", "kafka", "logstash", "redis"])
def test_an_output_of_a_later_version_is_never_ignored(output: str) -> None:
    assert faults_of(f"output.{output}.hosts: [a]\noutput.console.enabled: true") == (
        (
            f"f.yml:1: output.{output}: is not built yet in this version;"
            f" output.{output}.enabled: false would turn it off"
        ),
    )
    assert len(faults_of(f"output.{output}.enabled: maybe")) == 1


def test_an_empty_output_beside_another_is_off_and_says_so() -> None:
    settings, findings = checked("output:\n  file.path: /x\n  console:\n")
    assert settings.output_console is None
    assert findings.warnings == (
        (
            "f.yml:3: output.console: the section is empty, so it is off;"
            " output.console.enabled: true turns it on"
        ),
    )


def test_what_is_switched_off_needs_no_warning() -> None:
    text = (
        "http.enabled: false\nlogging.to_files: no\nprocessors: []\ndashboards.enabled: off\nsetup:"
    )
    findings = checked(text)[1]
    findings.raise_faults()
    assert findings.warnings == ()


def test_what_has_no_meaning_any_more_is_a_warning() -> None:
    settings, findings = checked("queue_size: 1000\nhttp.port: 5066")
    findings.raise_faults()
    assert settings == settings_of("")
    assert findings.warnings == (
        "f.yml:1: queue_size: has no meaning any more. queue.mem.events is the limit.",
        (
            "f.yml:2: http.port: is not built yet in this version and changes nothing."
            " There is no monitoring endpoint."
        ),
    )


def test_unknown_keys_are_told_at_the_outermost_unknown_name() -> None:
    assert faults_of("conbeat: {a: 1, b: {c: 2}}") == (
        "f.yml:1: conbeat: unknown key, did you mean connbeat?",
    )
    _, findings = checked("conbeat: 1", are_unknown_keys_faults=False)
    findings.raise_faults()
    assert len(findings.warnings) == 1


@pytest.mark.parametrize(
    ("text", "is_contradiction"),
    [
        ("capture: dump, enable_tcp_diag: false", True),
        ("capture: procfs, enable_tcp_diag: true", True),
        ("capture: procfs, enable_tcp_diag: false", False),
        ("capture: auto, enable_tcp_diag: false", False),
        ("capture: closes, enable_tcp_diag: true", False),
        ("capture: closes", False),
    ],
)
def test_the_old_switch_and_the_new_word_may_not_contradict(
    text: str, is_contradiction: bool
) -> None:
    _, findings = checked(f"connbeat: {{{text}}}")
    if is_contradiction:
        with pytest.raises(ConfigError, match="expected only one of the two"):
            findings.raise_faults()
    else:
        findings.raise_faults()


def test_the_users_own_fields_are_plain_values() -> None:
    settings = settings_of("fields: {a.b: 1, c: [x, {d: off}], e: 1.5}\nfields_under_root: true")
    assert settings.fields == {"a": {"b": 1}, "c": ["x", {"d": False}], "e": 1.5}
