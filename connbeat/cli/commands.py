"""Every command there is, once: help, completion and manual page come from here.

Two words are one command: `export config`. Nothing is imported, so that help costs nothing.
"""

from typing import NamedTuple


class Command(NamedTuple):
    """`text` goes on after "connbeat NAME is there to"; `examples` are lines to be copied.

    `note` says what the flags and the text do not. `flags` are those of `connbeat.cli.flags` that
    only some commands have, by their first name. `argument` is the word that follows the command.
    """

    text: str
    examples: tuple[str, ...]
    note: str = ""
    flags: tuple[str, ...] = ()
    argument: str = ""

    def usage(self, name: str) -> str:
        return f"connbeat {name} {self.argument}".rstrip()


COMMANDS = {
    "run": Command(
        "observe, and send events to the outputs (what happens without a command)",
        (
            "connbeat -c connbeat.yml -e",
            "connbeat -E output.console.pretty=true -E connbeat.poll_interval=1s",
        ),
        "Without -c, connbeat.yml of this directory is read, else /etc/connbeat/connbeat.yml; "
        "without any, events go to stdout.",
    ),
    "show": Command(
        "print the connections of this moment as a table",
        ("connbeat show", "connbeat show --json"),
        flags=("--json",),
    ),
    "doctor": Command(
        "say what can be seen here, what cannot, and what would change that",
        ("connbeat doctor -c connbeat.yml",),
        flags=("--json",),
    ),
    "health": Command(
        "ask the running agent whether it lives (exit code 0) or not (1)",
        ("connbeat health -c connbeat.yml", "connbeat health --ready"),
        "The agent has to run with the same http.enabled, http.host and http.port.",
        flags=("--ready",),
    ),
    "setup": Command(
        "put the index template and the lifecycle policy into Elasticsearch, and leave",
        (
            "connbeat setup -c connbeat.yml",
            "connbeat setup -E 'output.elasticsearch.hosts=[https://es:9200]' \\",
            "  -E output.elasticsearch.template.overwrite=true",
        ),
        "The agent does the same by itself when it connects; this is for those who let it have no "
        "right to. What is there already stays, unless template.overwrite or ilm.overwrite is set.",
    ),
    "test config": Command(
        "check the configuration and print Config OK",
        ("connbeat test config -c base.yml -c this-host.yml",),
    ),
    "test output": Command(
        "try every output that is on, step by step, without sending an event",
        (
            "connbeat test output -c connbeat.yml",
            "connbeat test output -E 'output.http.hosts=[https://collector/events]'",
        ),
        "The exit code is 1 if a step of any output failed.",
        flags=("--json",),
    ),
    "export config": Command(
        "print the merged configuration, secrets masked",
        ("connbeat export config -E output.file.path=/var/log/connbeat",),
    ),
    "export config-schema": Command(
        "print the JSON Schema of the configuration, for editors",
        (
            "connbeat export config-schema > connbeat.schema.json",
            "echo '# yaml-language-server: $schema=connbeat.schema.json' >> connbeat.yml",
        ),
    ),
    "export schema": Command(
        "print the JSON Schema of the events",
        ("connbeat export schema > event.schema.json",),
    ),
    "export fields": Command(
        "print the fields of the events as Beats list them, in YAML",
        ("connbeat export fields > fields.yml",),
    ),
    "export template": Command(
        "print the Elasticsearch index template",
        (
            "connbeat export template --es.version 7.17.0 > connbeat.template.json",
            "curl -X PUT -H 'Content-Type: application/json' \\",
            "  --data-binary @connbeat.template.json http://es:9200/_index_template/connbeat",
        ),
        flags=("--es.version",),
    ),
    "export ilm-policy": Command(
        "print the Elasticsearch lifecycle policy",
        ("connbeat export ilm-policy -c connbeat.yml > policy.json",),
    ),
    "export man": Command(
        "print the manual page connbeat(1)",
        ("connbeat export man > connbeat.1", "connbeat export man | man -l -"),
    ),
    "keystore create": Command(
        "make an empty keystore, an encrypted file of secrets for ${KEY}",
        ("connbeat keystore create -c connbeat.yml",),
        flags=("--force",),
    ),
    "keystore add": Command(
        "put a secret into the keystore; asks for its value",
        (
            "connbeat keystore add ES_PASSWORD",
            "pass show elasticsearch | connbeat keystore add ES_PASSWORD --stdin --force",
        ),
        "In connbeat.yml, ${ES_PASSWORD} is its value then.",
        flags=("--force", "--stdin"),
        argument="KEY",
    ),
    "keystore list": Command("print the names of the secrets", ("connbeat keystore list",)),
    "keystore remove": Command(
        "take a secret out of the keystore",
        ("connbeat keystore remove ES_PASSWORD",),
        argument="KEY",
    ),
    "completion bash": Command(
        "print the completion of the command line for bash",
        (
            "source <(connbeat completion bash)",
            "connbeat completion bash > /usr/share/bash-completion/completions/connbeat",
        ),
    ),
    "completion zsh": Command(
        "print the completion of the command line for zsh",
        (
            "source <(connbeat completion zsh)",
            "connbeat completion zsh > /usr/share/zsh/vendor-completions/_connbeat",
        ),
    ),
    "completion fish": Command(
        "print the completion of the command line for fish",
        (
            "connbeat completion fish | source",
            "connbeat completion fish > /usr/share/fish/vendor_completions.d/connbeat.fish",
        ),
    ),
    "version": Command("print the version", ("connbeat version",)),
    "help": Command(
        "print the help of a command",
        ("connbeat help", "connbeat help export template"),
        argument="[COMMAND]",
    ),
}


def group(word: str) -> tuple[str, ...]:
    """The commands that begin with this word and have another."""
    return tuple(name for name in COMMANDS if name.startswith(f"{word} "))
