#!/usr/bin/env bash
# An application taken over on a real cluster: Kafka Streams begins it, weir goes on with its offsets and its changelogs, then
# Kafka Streams again, then weir; each is stopped in the midst of its work. In the end nothing is lost and nothing
# counted twice (take_over.py recounts the input), and no count has ever gone back; results on window close have come
# once each. The last time weir is started while
# Kafka Streams still runs: it waits for its turn.
#
#   tests/conformance/take_over.sh [--release | --program FILE] [--keep]
#
# --program names weir's side, built already. Needs a JDK and Maven (deploy/packages.sh conformance), python3, and a broker: that of WEIR_TEST_BOOTSTRAP, or the
# one that tests/services.sh starts. --keep leaves what it wrote in its directory.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

events=6000 kept=600 per_second=150 preset=dev program= keep=
while [ $# -gt 0 ]; do
	case $1 in
	--release) preset=release ;;
	--program) program=$2; shift ;;
	--keep) keep=1 ;;
	-h | --help) sed -n '2,/^set/{/^#/s/^# \{0,1\}//p}' "$0"; exit 0 ;;
	*) echo "take_over.sh: unknown option $1 (--help lists them)" >&2; exit 2 ;;
	esac
	shift
done

[ -n "${WEIR_TEST_BOOTSTRAP:-}" ] || eval "$(tests/services.sh start kafka)"
if [ -z "$program" ]; then
	program=build/$preset/tests/conformance
	[ -d "build/$preset" ] || cmake --preset "$preset" >/dev/null
	cmake --build "build/$preset" --target conformance >/dev/null || { echo "take_over: weir cannot be built" >&2; exit 1; }
fi
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
	exec "$program" run take-over -b "$WEIR_TEST_BOOTSTRAP" -X application.id="$application" \
		-X state.dir="$dir/weir" >>"$dir/weir.log" 2>&1
}
await() { tool "$@" || { tail -20 "$dir"/*.log >&2; exit 1; }; }
# As an operator would; a JVM ends with 143 then.
stop() {
	kill -TERM "$1"
	wait "$1" || [ $? = 143 ] || { tail -20 "$dir"/*.log >&2; exit 1; }
}
# phase WHO WAIT...: runs it until the tool's command has ended
phase() {
	$1 &
	running=$!
	await "${@:2}"
	stop "$running"
	running=
	say "$1 has worked, and stopped at $(date +%T)"
}

python3 tests/conformance/take_over.py input "$events" >"$dir/input"
tool topics 3 events users letters-out windows-out closing-out joined-out
base=$((($(date +%s) - 3600) * 1000 / 60000 * 60000))
grep '^in users' "$dir/input" | tool put "$base"
grep '^in events' "$dir/input" | head -n "-$kept" | tool put "$base" "$per_second" &
producing=$!
phase kafka_streams passed "$application" events 1000
phase weir passed "$application" events 1000
kafka_streams &
running=$!
await passed "$application" events 1000
: >"$dir/weir.log"
weir &
waiting=$!
until grep -q INCONSISTENT_GROUP_PROTOCOL "$dir/weir.log"; do
	kill -0 "$waiting" 2>/dev/null || { echo "take_over: weir does not wait for its turn" >&2; tail "$dir"/*.log >&2; exit 1; }
	sleep 0.2
done
stop "$running"
running=$waiting
say "kafka_streams has worked, and stopped at $(date +%T), with weir at the door"
wait "$producing"
producing=
# What closes the last windows is left for weir: Kafka Streams, which looks once a second, may have read all there was.
grep '^in events' "$dir/input" | tail -n "$kept" | tool put "$base"
await wait "$application" events
stop "$running"
running=
say "weir has worked to the end"
tool dump letters-out windows-out closing-out joined-out >"$dir/output"
python3 tests/conformance/take_over.py check "$dir/input" "$dir/output" "$base"
