#!/usr/bin/env bash
# A real Elasticsearch, as one node on loopback, from Maven's packages alone: the server without its
# commercial modules, so without security, lifecycle policies and the like.
#
#   node.sh build MAJOR HOME             fetches the jars of 7 or 8 into HOME, a folder that caches them
#   node.sh run MAJOR HOME DATA PORT [KEY=VALUE ...]
#                                        runs it with the data of DATA; the shell becomes the node, so
#                                        its pid is this one's. Further settings follow the port.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
major=$2
home=$(realpath -m "$3")

# What Elasticsearch wants beside a module's jars: folder name, class name.
describe_plugin() {
  printf '%s\n' "name=$1" "description=$1" "classname=$2" "version=$version" \
    "elasticsearch.version=$version" java.version=17 >"$home/modules/$1/plugin-descriptor.properties"
}

lay_out_modules() {
  mkdir -p "$home"/modules/{transport-netty4,root}
  mv "$home"/lib/{transport-netty4,netty-}*.jar "$home/modules/transport-netty4/"
  describe_plugin transport-netty4 org.elasticsearch.transport.netty4.Netty4Plugin
  javac -nowarn -cp "$home/lib/*" -d "$home/root" "$here/8/RootPlugin.java"
  (cd "$home/root" && jar cf "$home/modules/root/root.jar" .)
  describe_plugin root RootPlugin
}

case $1 in
build)
  [[ -e $home/ok ]] && exit 0
  rm -rf "$home"
  mkdir -p "$home"/{config,classes}
  version=$(sed -n 's:.*<elasticsearch>\(.*\)</elasticsearch>.*:\1:p' "$here/$major/pom.xml")
  mvn -B -q -ntp -f "$here/$major/pom.xml" \
    org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies \
    -DincludeScope=runtime -DoutputDirectory="$home/lib"
  [[ $major == 7 ]] || lay_out_modules
  javac -nowarn -cp "$home/lib/*" -d "$home/classes" "$here/$major/Node$major.java"
  touch "$home/ok"
  ;;
run)
  data=$(realpath -m "$4")
  port=$5
  shift 5
  rm -rf "$data/logs"
  mkdir -p "$data"/{logs,tmp}
  exec java -Xmx512m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Djava.io.tmpdir="$data/tmp" \
    -Djava.security.manager=allow -Dlog4j2.disable.jmx=true -Dlog4j2.level="${ES_LOG:-warn}" \
    -Dio.netty.noUnsafe=true -cp "$home/classes:$home/lib/*" "Node$major" "$home" "$data" "$port" "$@"
  ;;
*)
  sed -n '2,9s/^# \{0,1\}//p' "$0" >&2
  exit 2
  ;;
esac
