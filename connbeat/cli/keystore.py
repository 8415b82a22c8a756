"""`connbeat keystore`: secrets for `${KEY}`, in an encrypted file instead of the configuration.

A value comes from the terminal without echo, or from stdin; it is never an argument, which every
user of the machine could read, and never printed.
"""

import getpass
import os
import re
import sys

from connbeat.cli.options import Options
from connbeat.cli.settings import sources_of
from connbeat.config.keystore.store import Keystore
from connbeat.config.load import find_keystore
from connbeat.config.tree import is_utf8
from connbeat.errors import ConfigError, KeystoreError

_NAME = re.compile(r"[A-Za-z0-9_.-]{1,200}", re.ASCII)


def run(options: Options) -> int:
    keystore = find_keystore(sources_of(options), os.environ)
    if options.command == "keystore create":
        keystore.create(force=options.force)
        sys.stdout.write(f"Created the keystore {keystore.path}\n")
    elif options.command == "keystore add":
        _add(keystore, options)
    elif options.command == "keystore remove":
        keystore.remove(options.key)
        sys.stdout.write(f"Removed {options.key} from the keystore\n")
    else:
        sys.stdout.write("".join(f"{name}\n" for name in sorted(keystore.read())))
    return 0


def _add(keystore: Keystore, options: Options) -> None:
    if not _NAME.fullmatch(options.key):
        text = "expected a KEY of letters, digits, _, - and ."
        raise ConfigError((f"connbeat keystore add: {text}",))
    if options.key in keystore.read() and not options.force:  # before somebody types it
        raise KeystoreError(f"the keystore has {options.key} already; --force replaces it")
    keystore.add(options.key, _value(options), force=options.force)
    sys.stdout.write(f"Added {options.key} to the keystore\n")


def _value(options: Options) -> str:
    """Without the line feed that every program ends its output with."""
    if options.from_stdin:
        value = sys.stdin.read().removesuffix("\n").removesuffix("\r")
    elif sys.stdin is not None and sys.stdin.isatty():
        value = getpass.getpass(f"Value of {options.key}: ")
    else:
        raise KeystoreError(
            "stdin is no terminal to ask for the value; --stdin reads it from there"
        )
    if not value:
        raise KeystoreError("the value is empty")
    if not is_utf8(value):
        raise KeystoreError("the value is not valid UTF-8")
    return value
