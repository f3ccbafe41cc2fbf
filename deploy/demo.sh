#!/usr/bin/env bash
# From a fresh clone to a moving dashboard: installs the Debian packages that are missing, builds, starts `evilnet demo`. No Kafka, no MySQL.
#
#   deploy/demo.sh [EVILNET-OPTIONS...]      for instance: deploy/demo.sh --rate 500 -X web.port=8081
#
# Ctrl-C ends it; nothing of a demo outlives it.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

case ${1:-} in -h | --help)
	sed -n '2,/^set/{/^#/s/^# \{0,1\}//p}' "$0"
	exit 0
	;;
esac
deploy/packages.sh build
cmake -S . -B build/demo -G Ninja -DCMAKE_BUILD_TYPE=RelWithDebInfo -DBUILD_TESTING=OFF >/dev/null
cmake --build build/demo --target evilnet
exec build/demo/evilnet demo "$@"
