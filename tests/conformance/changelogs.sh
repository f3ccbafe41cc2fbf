#!/usr/bin/env bash
# The changelogs that weir and Kafka Streams write on a real broker, of the same cases over the same input: the last record of
# each key, its bytes and its timestamp.
#
#   tests/conformance/changelogs.sh [--release] [CASE...]
#
# On a cluster it is chance which of two topics is read first, and what one commit holds. So a topic is put when those
# before it in the case have been read; what goes into tables that are grouped or joined is put in the order of its
# timestamps, and rows of the left side of a foreign-key join change no more. Cases whose end depends on chance all the
# same (reducers whose order matters, streams behind a repartition) cannot be compared so.
#
# Needs a JDK and Maven (deploy/packages.sh conformance), python3, and a broker: that of WEIR_TEST_BOOTSTRAP, or the
# one that tests/services.sh starts.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

preset=dev cases=() seeds=60
while [ $# -gt 0 ]; do
	case $1 in
	--release) preset=release ;;
	-h | --help) sed -n '2,/^set/{/^#/s/^# \{0,1\}//p}' "$0"; exit 0 ;;
	-*) echo "changelogs.sh: unknown option $1 (--help lists them)" >&2; exit 2 ;;
	*) cases+=("$1") ;;
	esac
	shift
done
[ ${#cases[@]} -gt 0 ] || cases=(count count-tumbling count-hopping sessions-count sliding-count unlimited-count
	table with-store window-store session-store aggregate-windows reduce-windows emit-close-count emit-close-sessions
	stream-join table-join-stored table-left-join-stored foreign-join foreign-left-join)

[ -n "${WEIR_TEST_BOOTSTRAP:-}" ] || eval "$(tests/services.sh start kafka)"
[ -d "build/$preset" ] || cmake --preset "$preset" >/dev/null
cmake --build "build/$preset" --target conformance >/dev/null || { echo "changelogs: weir cannot be built" >&2; exit 1; }
source tests/conformance/java.sh
java_side
weir=build/$preset/tests/conformance
dir=$(mktemp -d)
running=()
trap 'kill "${running[@]}" 2>/dev/null || true; rm -rf "$dir"' EXIT
tool() { eval "$java_run" conformance.Tool "$WEIR_TEST_BOOTSTRAP" '"$@"'; }

# Some seeds' input, one behind the other in time.
input() {
	for seed in $(seq "$seeds"); do
		"$weir" -i -s "$seed" "$1" | awk -v base=$((seed * 3000)) '/^in /{$5 += base; print}'
	done | case $1 in
	foreign-*) awk '$2 == "left"{$3 = $3 NR}{print}' | sort -s -n -k 5,5 ;;
	table-* | group-*) sort -s -n -k 5,5 ;;
	*) cat ;;
	esac
}

bad=0 base=$((($(date +%s) - 3600) * 1000 / 60000 * 60000))
for case in "${cases[@]}"; do
	input "$case" >"$dir/input"
	inputs=$(sed -nE 's/^(source|table|global-table) ([^ ]+).*/\2/p' "tests/conformance/cases/$case.case")
	tool topics 3 $inputs $(sed -nE 's/^sink ([^ ]+).*/\1/p' "tests/conformance/cases/$case.case")
	eval exec "$java_run" conformance.OnBroker tests/conformance/cases "$case" "$WEIR_TEST_BOOTSTRAP" \
		"theirs-$$-$case" "$dir/kafka-streams" >"$dir/theirs.log" 2>&1 &
	running=($!)
	"$weir" run "$case" -b "$WEIR_TEST_BOOTSTRAP" -X application.id="ours-$$-$case" -X state.dir="$dir/weir-$case" \
		-X errors.dead.letter.queue.topic.name= >"$dir/ours.log" 2>&1 &
	running+=($!)
	for topic in $inputs; do
		grep "^in $topic " "$dir/input" | tool put "$base"
		for who in theirs ours; do
			tool wait "$who-$$-$case" "$topic" || { tail -20 "$dir/$who.log" >&2; exit 1; }
		done
	done
	kill -TERM "${running[@]}"
	wait "${running[@]}" || true
	running=()
	for who in theirs ours; do
		tool dump $(tool list "$who-$$-$case-" | grep -- '-changelog$') >"$dir/$who"
	done
	python3 tests/conformance/changelogs.py "$case" "theirs-$$-$case" "$dir/theirs" "ours-$$-$case" "$dir/ours" || bad=1
done
exit $bad
