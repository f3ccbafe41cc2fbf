#!/usr/bin/env bash
# An application taken over on a real cluster: Kafka Streams begins it, weir goes on with its offsets and its changelogs, then
# Kafka Streams again, then weir; each is stopped in the midst of its work. In the end nothing is lost and nothing
# counted twice (take_over.py recounts the input), and no count has ever gone back.
#
#   tests/conformance/take_over.sh [--release] [--keep]
#
# Needs a JDK and Maven (deploy/packages.sh conformance), python3, and a broker: that of WEIR_TEST_BOOTSTRAP, or the
# one that tests/services.sh starts. --keep leaves what it wrote in its directory.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

events=6000 per_second=150 preset=dev keep=
while [ $# -gt 0 ]; do
	case $1 in
	--release) preset=release ;;
	--keep) keep=1 ;;
	-h | --help) sed -n '2,/^set/{/^#/s/^# \{0,1\}//p}' "$0"; exit 0 ;;
	*) echo "take_over.sh: unknown option $1 (--help lists them)" >&2; exit 2 ;;
	esac
	shift
done

[ -n "${WEIR_TEST_BOOTSTRAP:-}" ] || eval "$(tests/services.sh start kafka)"
[ -d "build/$preset" ] || cmake --preset "$preset" >/dev/null
cmake --build "build/$preset" --target conformance >/dev/null
source tests/conformance/java.sh
java_side
dir=$(mktemp -d) application=taken-$$
running='' producing=''
finish() {
	[ -z "$running" ] || kill "$running" 2>/dev/null || true
	[ -z "$producing" ] || kill "$producing" 2>/dev/null || true
	[ -n "$keep" ] && echo "take_over: see $dir" || rm -rf "$dir"
}
trap finish EXIT
say() { echo "take_over: $*"; }
tool() { eval "$java_run" conformance.Tool "$WEIR_TEST_BOOTSTRAP" '"$@"'; }

kafka_streams() {
	eval exec "$java_run" conformance.OnBroker tests/conformance/cases take-over "$WEIR_TEST_BOOTSTRAP" \
		"$application" "$dir/kafka-streams" >>"$dir/kafka-streams.log" 2>&1
}
weir() {
	exec "build/$preset/tests/conformance" run take-over -b "$WEIR_TEST_BOOTSTRAP" -X application.id="$application" \
		-X state.dir="$dir/weir" >>"$dir/weir.log" 2>&1
}
# phase WHO WAIT...: runs it until the tool's command has ended, then stops it as an operator would
phase() {
	local who=$1
	shift
	$who &
	running=$!
	tool "$@" || { tail -20 "$dir"/*.log >&2; exit 1; }
	kill -TERM "$running"
	wait "$running" || [ "$who" = kafka_streams ] || { tail -20 "$dir/weir.log" >&2; exit 1; }
	running=
	say "$who: $(date +%T)"
}

python3 tests/conformance/take_over.py input "$events" >"$dir/input"
tool topics 3 events users letters-out windows-out joined-out
base=$((($(date +%s) - 3600) * 1000 / 60000 * 60000))
grep '^in users' "$dir/input" | tool put "$base"
grep '^in events' "$dir/input" | tool put "$base" "$per_second" &
producing=$!
phase kafka_streams passed "$application" events 1000
phase weir passed "$application" events 1000
phase kafka_streams passed "$application" events 1000
wait "$producing"
producing=
phase weir wait "$application"
tool dump letters-out windows-out joined-out >"$dir/output"
python3 tests/conformance/take_over.py check "$dir/input" "$dir/output" "$base"
