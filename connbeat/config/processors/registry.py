"""Every processor there is, by name."""

from connbeat.config.processors import additions, fields, lookups
from connbeat.config.processors.declared import Declared

PROCESSORS: dict[str, Declared] = {
    **fields.PROCESSORS,
    **additions.PROCESSORS,
    **lookups.PROCESSORS,
}

#: Those of Beats that are not here, for a better answer than "unknown".
ELSEWHERE = frozenset(
    (
        "add_cloudfoundry_metadata",
        "add_docker_metadata",
        "add_id",
        "add_kubernetes_metadata",
        "add_locale",
        "add_network_direction",
        "add_nomad_metadata",
        "add_observer_metadata",
        "add_process_metadata",
        "add_session_metadata",
        "append",
        "decode_base64_field",
        "decode_cef",
        "decode_csv_fields",
        "decode_duration",
        "decode_xml",
        "decode_xml_wineventlog",
        "decompress_gzip_field",
        "detect_mime_type",
        "dissect",
        "extract_array",
        "move_fields",
        "now",
        "registered_domain",
        "script",
        "syslog",
        "timestamp",
        "translate_ldap_attribute",
        "translate_sid",
        "urldecode",
    )
)
