#!/bin/sh
# A service of the demo's shop, in busybox:
#   serve [OTHER...]   answers on port 8080, and asks each OTHER before it answers (www/cgi-bin/page)
#   visit OTHER        asks for a page every second
#   follow OTHER       keeps one connection, on which OTHER tells something every second
# Whom it calls need not be there: then there is no connection, and it tries again.
set -eu

role=$1
shift

case $role in
  serve)
    export CALLS="$*"
    exec httpd -f -p 8080 -h /demo/www
    ;;
  visit)
    while sleep 1; do wget -q -O - "http://$1:8080/cgi-bin/page" || true; done
    ;;
  follow)
    while sleep 1; do wget -q -O /dev/null "http://$1:8080/cgi-bin/changes" || true; done
    ;;
esac
