import pytest

from connbeat.config.checking import check
from connbeat.config.document import parse_document
from connbeat.config.faults import Findings
from connbeat.config.schema import QueueDiskConfig, Settings
from connbeat.errors import ConfigError
from connbeat.outputs.console.config import ConsoleConfig
from connbeat.outputs.file.config import FileConfig
from connbeat.outputs.http.config import HttpConfig
from connbeat.outputs.tls_policy import TlsPolicy


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
    assert ("console" in settings.outputs, "file" in settings.outputs) == (has_console, has_file)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", None),
        ("logging.files:", None),
        ("logging.files.keepfiles: 7", True),
        ("logging: {files.keepfiles: 7, to_files: off}", False),
    ],
)
def test_log_files_are_on_where_they_are_configured(text: str, expected: bool | None) -> None:
    assert settings_of(text).logging.to_files is expected


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
    assert settings.outputs["console"] == ConsoleConfig(pretty=True)
    assert settings.outputs["file"] == FileConfig(
        path="/x", permissions=0o640, rotate_on_startup=False
    )


def test_a_key_without_value_is_the_default() -> None:
    assert settings_of("connbeat: {enable_tcp_diag: , aggregation: ~}\ntags:\n") == settings_of("")


def test_one_text_for_a_list_is_taken_with_a_warning() -> None:
    settings, findings = checked("tags: web")
    assert settings.tags == ("web",)
    assert findings.warnings == (
        "f.yml:1: tags: found 'web', taken as a list of one; [...] around it says so",
    )


def test_an_empty_output_beside_another_is_off_and_says_so() -> None:
    settings, findings = checked("output:\n  file.path: /x\n  console:\n")
    assert "console" not in settings.outputs
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
    settings, findings = checked("queue_size: 1000\nlogging.to_eventlog: true")
    findings.raise_faults()
    assert settings == settings_of("")
    assert findings.warnings == (
        "f.yml:1: queue_size: has no meaning any more. queue.mem.events is the limit.",
        "f.yml:2: logging.to_eventlog: has no meaning any more. It was for Windows.",
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


def test_a_section_of_an_output_arrives_with_its_tls() -> None:
    http = settings_of(
        "output.http:\n  hosts: [a]\n  worker: 3\n  max_retries: -1\n  backoff.max: 2m\n"
        "  ssl: {verification_mode: NONE, certificate_authorities: [ca.pem]}\n"
        "  when.equals.remote_port: 80\n"
    ).outputs["http"]
    assert http == HttpConfig(
        hosts=("a",),
        worker=3,
        backoff_max_seconds=120,
        ssl=TlsPolicy(verification_mode="none", certificate_authorities=("ca.pem",)),
        when={"equals": {"remote_port": 80}},
    )


@pytest.mark.parametrize(
    ("text", "tls"),
    [
        ("", None),
        ("ssl:", None),
        ("ssl.enabled: false", None),
        ("ssl: {enabled: false, key: k}", None),
        ("ssl.enabled: true", TlsPolicy()),
        ("tls.verification_mode: none", TlsPolicy(verification_mode="none")),
        ("tls: {enabled: true, certificate: c}", TlsPolicy(certificate="c")),
    ],
)
def test_tls_is_on_when_its_section_has_a_key(text: str, tls: TlsPolicy | None) -> None:
    config = settings_of(f"output.http:\n  hosts: [a]\n  {text}\n").outputs["http"]
    assert isinstance(config, HttpConfig)
    assert config.ssl == tls


def test_an_alias_sets_what_it_stands_for_under_its_own_name() -> None:
    config = settings_of("output.http: {hosts: [a], workers: 4}").outputs["http"]
    assert isinstance(config, HttpConfig)
    assert config.worker == 4
    assert faults_of("output.http: {hosts: [a], workers: 0}") == (
        "f.yml:1: output.http.workers: found '0', expected a whole number from 1 to 256",
    )
    assert faults_of("output.http: {hosts: [a], workers: 2, worker: 3}") == (
        (
            "f.yml:1: output.http.workers: found beside output.http.worker,"
            " expected only one of the two"
        ),
    )


def test_what_an_output_cannot_do_without_is_missed() -> None:
    (fault,) = faults_of("output.http.worker: 2")
    assert fault.startswith("f.yml:1: output.http.hosts: is missing, expected a list of hosts")
    settings_of("output.http: {worker: 2, enabled: false}\noutput.console.enabled: true")


def test_values_that_contradict_each_other_are_told_where_they_stand() -> None:
    assert faults_of(
        "output.http:\n  hosts: [a]\n  username: u\n  bearer_token: t\n  ssl.key: k\n"
    ) == (
        (
            "f.yml:4: output.http.bearer_token: expected either a bearer_token or username and"
            " password"
        ),
        "f.yml:5: output.http.ssl.key: found a key without ssl.certificate",
    )


def test_every_fault_of_a_condition_is_told_where_it_stands() -> None:
    assert faults_of(
        "output.file:\n  path: /x\n  when:\n    or:\n      - equals: {a: [1]}\n      - like: x\n"
    ) == (
        ("f.yml:5: output.file.when.or.0.equals.a: expected a text, a number, true or false"),
        (
            "f.yml:6: output.file.when.or.1.like: unknown condition, expected one of equals,"
            " contains, regexp, network, range, has_fields, and, or, not"
        ),
    )


def test_the_queue_is_in_memory_unless_the_disk_is_configured() -> None:
    assert not settings_of("").queue_disk.enabled
    assert not settings_of("queue.disk:").queue_disk.enabled
    assert not settings_of("queue.disk: {enabled: false, max_size: 1GB}").queue_disk.enabled
    assert settings_of("queue.disk.enabled: true").queue_disk == QueueDiskConfig(enabled=True)
    disk = settings_of("queue.disk: {max_size: 0, path: /x, retry_interval: 2s}").queue_disk
    assert disk == QueueDiskConfig(enabled=True, max_size=0, path="/x", retry_interval_seconds=2.0)


def test_there_is_one_queue() -> None:
    (fault,) = faults_of("queue.mem.events: 5\nqueue.disk.max_size: 10GB")
    assert fault == "f.yml:2: queue.disk: found beside queue.mem, expected only one of the two"
    settings_of("queue.mem.events: 5\nqueue.disk: {max_size: 10GB, enabled: false}")


def test_a_disk_queue_of_libbeat_is_understood() -> None:
    settings, findings = checked("queue.disk: {max_size: 10GB, segment_size: 1GB, read_ahead: 9}")
    findings.raise_faults()
    assert settings.queue_disk == QueueDiskConfig(enabled=True)
    assert len(findings.warnings) == 2


def test_a_required_value_that_is_wrong_is_told_once() -> None:
    (fault,) = faults_of("output.kafka: {hosts: [h], topic: '%{[a'}")
    assert fault.startswith("f.yml:1: output.kafka.topic: found '%{[a', expected a format string")


def test_how_much_is_told_can_be_said_by_rule_and_in_summaries() -> None:
    settings = settings_of("""
connbeat:
  aggregation_rules:
    - when.equals.container.name: web
      aggregation: 5m
  summarise: {enabled: true, interval: 1m, when: {has_fields: [container]}}
  cpu_budget: 25%
""")
    (rule,) = settings.connbeat.aggregation_rules
    assert rule.aggregation_seconds == 300
    assert settings.connbeat.cpu_budget == 25
    summarise = settings.connbeat_summarise
    assert (summarise.enabled, summarise.interval_seconds) == (True, 60)
    assert summarise.when == {"has_fields": ["container"]}


def test_a_fault_in_a_rule_has_its_line() -> None:
    text = """
connbeat.aggregation_rules:
  - when.equals.container.name: web
    aggregation: 5m
  - when.equals.remote_port: 80
    aggregation: often
"""
    assert faults_of(text) == (
        (
            "f.yml:5: connbeat.aggregation_rules.1.when.equals.remote_port:"
            " expected a field of local_process or container: no other is asked here"
        ),
        (
            "f.yml:6: connbeat.aggregation_rules.1.aggregation:"
            " found 'often', expected a duration such as 30s, 250ms or 1m30s"
        ),
    )
