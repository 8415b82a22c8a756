#!/usr/bin/env bash
# A real Kafka broker, as one KRaft node on loopback, from Maven's packages alone.
#
#   kafka.sh build HOME        fetches the jars into HOME, a folder that caches them
#   kafka.sh run HOME CONFIG   runs the broker of a server.properties; the shell becomes the broker,
#                              so its pid is this one's. The first run formats the data, and makes
#                              the user SCRAM_USER with SCRAM_PASSWORD if they are set.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
home=$(realpath -m "$2")

case $1 in
build)
  [[ -e $home/ok ]] && exit 0
  rm -rf "$home"
  mkdir -p "$home"
  mvn -B -q -ntp -f "$here/pom.xml" \
    org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies \
    -DincludeScope=runtime -DoutputDirectory="$home/lib"
  touch "$home/ok"
  ;;
run)
  config=$3
  data=$(sed -n 's/^log.dirs=//p' "$config")
  if [[ ! -e $data/meta.properties ]]; then
    users=()
    for mechanism in SCRAM-SHA-256 SCRAM-SHA-512; do
      [[ -z ${SCRAM_USER:-} ]] || users+=(--add-scram "$mechanism=[name=$SCRAM_USER,password=$SCRAM_PASSWORD]")
    done
    java -Xmx128m -cp "$home/lib/*" kafka.tools.StorageTool format \
      -t MkU3OEVBNTcwNTJENDM2Qg -c "$config" ${users[@]+"${users[@]}"} >/dev/null
  fi
  exec java -Xms64m -Xmx384m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 \
    -Djava.net.preferIPv4Stack=true \
    -Dorg.slf4j.simpleLogger.defaultLogLevel=warn \
    -Dorg.slf4j.simpleLogger.log.kafka.server.KafkaRaftServer=info \
    -cp "$home/lib/*" kafka.Kafka "$config"
  ;;
*)
  sed -n '2,7s/^# \{0,1\}//p' "$0" >&2
  exit 2
  ;;
esac
