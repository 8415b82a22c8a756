#!/usr/bin/env bash
# Waits for Elasticsearch, sets the password of Kibana's own user, waits for Kibana, and makes the
# data view `connbeat`. May run again at any time. Ends with an error after ten minutes.
set -euo pipefail

: "${ELASTICSEARCH:=http://elasticsearch:9200}" "${KIBANA:=http://kibana:5601}"
end=$((SECONDS + ${SETUP_SECONDS:-600}))

# `post URL BODY`, again and again until it is taken. The password is no argument: `ps` shows those.
post() {
  until curl -fsS -o /dev/null -K - -H 'Content-Type: application/json' -H 'kbn-xsrf: setup' \
    --data "$2" "$1" <<<"user = \"elastic:$ELASTIC_PASSWORD\""; do
    ((SECONDS < end)) || { echo "setup: $1 took nothing in time" >&2; exit 1; }
    sleep "${SETUP_WAIT:-3}"
  done
  echo "setup: done: $1"
}

post "$ELASTICSEARCH/_security/user/kibana_system/_password" "{\"password\": \"$KIBANA_PASSWORD\"}"
post "$KIBANA/api/data_views/data_view" '{"override": true, "data_view":
  {"id": "connbeat", "name": "connbeat", "title": "connbeat-*", "timeFieldName": "@timestamp"}}'
