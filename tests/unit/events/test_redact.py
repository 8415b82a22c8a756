import pytest
from hypothesis import given
from hypothesis import strategies as st

from connbeat.events.redact import redact_arguments, redact_environ


def redacted(line: str) -> str:
    """Arguments stand between bars, so that they may have spaces."""
    return "|".join(redact_arguments(tuple(line.split("|"))))


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        # options and their values
        ("app|--password|hunter2", "app|--password|xxxxx"),
        ("app|--password=hunter2|-v", "app|--password=xxxxx|-v"),
        ("app|-password|hunter2", "app|-password|xxxxx"),
        ("app|--password=two words & more", "app|--password=xxxxx"),
        ("app|--password|-dashed", "app|--password|xxxxx"),
        ("app|--api-key|abc|--port|80", "app|--api-key|xxxxx|--port|80"),
        ("app|--secret|a|--token|b", "app|--secret|xxxxx|--token|xxxxx"),
        ("java|-Djavax.net.ssl.keyStorePassword=x", "java|-Djavax.net.ssl.keyStorePassword=xxxxx"),
        ("redis-server|--requirepass|foo", "redis-server|--requirepass|xxxxx"),
        ("keytool|-storepass|changeit", "keytool|-storepass|xxxxx"),
        ("helm|--set|db.password=x,db.user=y", "helm|--set|db.password=xxxxx"),
        ("helm|--set|db.user=y,db.password=x", "helm|--set|db.user=y,db.password=xxxxx"),
        # assignments
        ("env|TOKEN=abc|app", "env|TOKEN=xxxxx|app"),
        ("docker|run|-e|MYSQL_ROOT_PASSWORD=x|db", "docker|run|-e|MYSQL_ROOT_PASSWORD=xxxxx|db"),
        ("docker|run|-eAPI_KEY=x|db", "docker|run|-eAPI_KEY=xxxxx|db"),
        ("app|--env=DB_PASSWORD=x", "app|--env=DB_PASSWORD=xxxxx"),
        ("app|AWS_SECRET_ACCESS_KEY=wJal/rXUtn+FE=", "app|AWS_SECRET_ACCESS_KEY=xxxxx"),
        ("app|TOKEN=", "app|TOKEN="),
        ("psql|host=db password=x user=y", "psql|host=db password=xxxxx user=y"),
        ("app|Server=db;Password=x;Database=y", "app|Server=db;Password=xxxxx;Database=y"),
        # headers
        ("curl|-H|Authorization: Bearer abc.def", "curl|-H|Authorization: xxxxx"),
        ("curl|-HAuthorization: Basic dTpw", "curl|-HAuthorization: xxxxx"),
        ("curl|-H|X-Api-Key: abc|http://h/", "curl|-H|X-Api-Key: xxxxx|http://h/"),
        ("curl|-H|Cookie: sid=1; csrf=2", "curl|-H|Cookie: xxxxx"),
        ("curl|-H|Accept: text/plain", "curl|-H|Accept: text/plain"),
        # a user with a password
        ("curl|-u|joe:hunter2|http://h", "curl|-u|joe:xxxxx|http://h"),
        ("curl|-ujoe:hunter2", "curl|-ujoe:xxxxx"),
        ("/usr/bin/curl|--user|joe:hun:ter", "/usr/bin/curl|--user|joe:xxxxx"),
        ("curl|--proxy-user|joe:hunter2", "curl|--proxy-user|joe:xxxxx"),
        ("curl|--user=joe:hunter2", "curl|--user=joe:xxxxx"),
        ("psql|-U|joe|-h|db", "psql|-U|joe|-h|db"),
        ("sort|-u|file", "sort|-u|file"),
        # URLs
        ("app|postgres://u:p@h/db", "app|postgres://xxxxx@h/db"),
        ("app|--dsn=postgres://u:p@ss@h/db", "app|--dsn=postgres://xxxxx@h/db"),
        ("app|redis://:p@h:6379/0", "app|redis://xxxxx@h:6379/0"),
        ("git|clone|https://ghp_abc@example.org/r", "git|clone|https://xxxxx@example.org/r"),
        ("git|clone|ssh://git@example.org/r", "git|clone|ssh://git@example.org/r"),
        ("curl|https://h/?token=abc&page=2", "curl|https://h/?token=xxxxx&page=2"),
        ("curl|https://h/a@b?c=d", "curl|https://h/a@b?c=d"),
        (
            "java|jdbc:mysql://h/db?user=x&password=y",
            "java|jdbc:mysql://h/db?user=x&password=xxxxx",
        ),
        # passwords of well-known programs
        ("mysql|-uroot|-phunter2|db", "mysql|-uroot|-pxxxxx|db"),
        ("mysql|-p|db", "mysql|-p|db"),
        ("docker|exec|db|mysqldump|-p123456", "docker|exec|db|mysqldump|-pxxxxx"),
        ("sshpass|-p|hunter2|ssh|h", "sshpass|-p|xxxxx|ssh|h"),
        ("sshpass|-phunter2|ssh|-p|22|h", "sshpass|-pxxxxx|ssh|-p|xxxxx|h"),
        ("docker|login|-u|joe|-p|hunter2", "docker|login|-u|joe|-p|xxxxx"),
        ("redis-cli|-a|hunter2|ping", "redis-cli|-a|xxxxx|ping"),
        # bodies
        ('curl|-d|{"user":"joe","password":"x y"}', 'curl|-d|{"user":"joe","password":"xxxxx"}'),
        ('curl|-d|{"password": "a\\"b", "n": 1}', 'curl|-d|{"password": "xxxxx", "n": 1}'),
        ('curl|-d|{"pin":1,"apiKey":123,"x":2}', 'curl|-d|{"pin":1,"apiKey":xxxxx,"x":2}'),
        ("curl|-d|user=joe&password=x&y=1", "curl|-d|user=joe&password=xxxxx&y=1"),
        (r'app|"{\"token\":\"abc\",\"n\":1}"', r'app|"{\"token\":\"xxxxx\",\"n\":1}"'),
        # a shell's line in one argument
        ("sh|-c|mysqladmin ping -uroot -pfoo", "sh|-c|mysqladmin ping -uroot -pxxxxx"),
        ("sh|-c|app --password foo --port 80", "sh|-c|app --password xxxxx --port 80"),
        ("sh|-c|app --password 'a b'  --port 80", "sh|-c|app --password xxxxx  --port 80"),
        ("sh|-c|X=1 PGPASSWORD=foo psql -h db", "sh|-c|X=1 PGPASSWORD=xxxxx psql -h db"),
        (
            "sh|-c|curl -H 'Authorization: Bearer abc' http://u:p@h/",
            "sh|-c|curl -H 'Authorization: xxxxx' http://xxxxx@h/",
        ),
        (
            "sh|-c|curl -H Authorization: Bearer abc -v",
            "sh|-c|curl -H Authorization: xxxxx -v",
        ),
        ("sh|-c|curl -u joe:hunter2 http://h", "sh|-c|curl -u joe:xxxxx http://h"),
    ],
)
def test_secrets_are_masked(line: str, shown: str) -> None:
    assert redacted(line) == shown


@pytest.mark.parametrize(
    "line",
    [
        "ftp|--passive|host",
        "docker|run|-p|80:80|nginx",
        "docker|run|--name|mysql|-p3306:3306|mysql:8",
        "app|--bypass=1|--compass=north|--token-bucket|5",
        "app|--max-tokens=100|--password-file=/run/secrets/db",
        "docker|login|--password-stdin|--username=joe",
        "docker|run|-v|/run/secrets/token:/token:ro|app",
        "vault|read|secret://team/db",
        "mysql|--password|--host|db",
        "psql|--no-password|-U|joe",
        "ls|-la|/etc/passwd",
        "nginx: worker process",
        "sshd: joe [priv]",
        "postgres: joe db 10.0.0.1(5432) idle",
        "python|-c|import time; time.sleep(1)",
        "curl|-H|Accept: */*|https://example.org:8443/a:b?c=d#e",
        "scp|joe@example.org:/tmp/x|.",
        "tcpdump|-i|eth0|port 80 and host 10.0.0.1",
        "",
    ],
)
def test_what_is_no_secret_stays_as_it_is(line: str) -> None:
    assert redacted(line) == line


def test_the_environment_is_masked_by_name_and_by_content() -> None:
    environ = (
        "PATH=/usr/bin:/bin",
        "PWD=/srv",
        "OLDPWD=/",
        "DB_PASSWORD=a b=c",
        "DATABASE_URL=postgres://u:p@h/db",
        "JAVA_OPTS=-Xmx1g -Dpassword=x -Dport=1",
        "MYSQL_PWD_FILE=/run/secrets/db",
        "EMPTY=",
        "not a pair",
    )
    assert redact_environ(environ) == (
        "PATH=/usr/bin:/bin",
        "PWD=/srv",
        "OLDPWD=/",
        "DB_PASSWORD=xxxxx",
        "DATABASE_URL=postgres://xxxxx@h/db",
        "JAVA_OPTS=-Xmx1g -Dpassword=xxxxx -Dport=1",
        "MYSQL_PWD_FILE=/run/secrets/db",
        "EMPTY=",
        "not a pair",
    )


PIECES = st.sampled_from(
    ["--password", "-u", "-p", "mysql", "curl", "token", "=", ":", " ", "'", '"', "\\", "//", "@",
     "http://", "{", "}", ",", "&", "a", "b:c", "Bearer ", "xxxxx", "login", "--user=", "\n", "é"]
)  # fmt: skip
TEXTS = st.lists(PIECES, max_size=12).map("".join) | st.text(max_size=40)


@given(st.lists(TEXTS, max_size=6).map(tuple))
def test_redaction_never_raises_and_changes_nothing_the_second_time(
    arguments: tuple[str, ...],
) -> None:
    once = redact_arguments(arguments)
    assert len(once) == len(arguments)
    assert redact_arguments(once) == once
    environ = redact_environ(arguments)
    assert redact_environ(environ) == environ


SECRET = st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=8, max_size=30).map(
    "S3".__add__
)


@given(SECRET, st.sampled_from(["--password {}", "--token={}", "API_KEY={}", "-H 'Cookie: {}'"]))
def test_no_secret_survives_whatever_it_is(secret: str, option: str) -> None:
    line = f"app -v {option.format(secret)} --port 80"
    assert secret not in "".join(redact_arguments(("sh", "-c", line)))
    assert secret not in "".join(redact_arguments(("app", option.format(secret))))
    if "'" not in line:
        assert secret not in "".join(redact_arguments(tuple(line.split(" "))))


@pytest.mark.timeout(10)  # in the square of its length it would be a minute, or many
@pytest.mark.parametrize(
    "piece",
    ["a", "pass", "pass-", "-", " ", "token ", "token=", "a:", "/a:", "'token=", '"token":"',
     '\\"token\\":\\"', "\\", "\"'", "://", "://a:b", "http://a@", "mysql -p", "bearer ", "aA=",
     "token=bearer ", "--user=a:"],
)  # fmt: skip
def test_a_hostile_argument_takes_time_in_proportion_to_its_length(piece: str) -> None:
    hostile = (piece * 100_000)[:100_000]
    for text in (hostile, "token=bearer" + hostile, "x " + hostile + "="):
        redact_arguments(("x", text))
        redact_environ((text,))


def test_answers_to_huge_command_lines_are_not_kept() -> None:
    from connbeat.events import redact  # noqa: PLC0415  its cache is what is looked at

    redact._cached_arguments.cache_clear()
    redact_arguments(("x", "a" * 20_000))
    assert redact._cached_arguments.cache_info().currsize == 0
    redact_arguments(("x", "a"))
    redact_arguments(("x", "a"))
    assert redact._cached_arguments.cache_info().hits == 1
