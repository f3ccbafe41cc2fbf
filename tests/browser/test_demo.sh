#!/usr/bin/env bash
# `evilnet demo` on its own, as a person starts it: first data in under three seconds, then the dashboard's browser test over it.
#   test_demo.sh PROGRAM
# Screenshots go to $EVILNET_BROWSER_SHOTS, if that is set. Exit code 77: no Chromium here.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
log=$(mktemp)
"$1" demo -X web.port=0 >/dev/null 2>"$log" &
demo=$!
trap 'kill $demo 2>/dev/null || true; wait $demo 2>/dev/null || true; rm -f "$log"' EXIT

started=$(date +%s%N)
until base=$(sed -n 's|.*dashboard at \(http://[^ ]*[0-9]\)/*$|\1|p' "$log") && [ -n "$base" ] &&
	python3 -c 'import json, sys, urllib.request
top = json.load(urllib.request.urlopen(sys.argv[1] + "/api/top?metric=tweets&n=1", timeout=2))
sys.exit(not top["places"])' "$base" 2>/dev/null; do
	kill -0 $demo 2>/dev/null || { cat "$log" >&2; exit 1; }
	[ $(($(date +%s%N) - started)) -lt 30000000000 ] || { echo "no data within 30 s" >&2; cat "$log" >&2; exit 1; }
	sleep 0.05
done
took=$((($(date +%s%N) - started) / 1000000))
echo "first data after $took ms"
[ $took -lt "${EVILNET_DEMO_MS_MAX:-3000}" ] || { echo "that is too late" >&2; exit 1; }
python3 "$here/test_dashboard.py" --url "$base"
