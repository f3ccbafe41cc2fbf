#!/usr/bin/env bash
# Runs the fuzz targets (tests/fuzz/fuzz_*.c) under libFuzzer with the address and undefined-behaviour sanitizers.
#
#   tests/fuzz.sh [--seconds N] [TARGET...]
#
#   --seconds N   CPU time of each target; default 10
#   TARGET        as ingest, post, web; default: all of them, one after the other
#
# What libFuzzer finds new is kept in build/fuzz/corpus/TARGET for the next run; tests/fuzz/corpus/TARGET, the seeds in
# git, is only read. An input that breaks a target lies in build/fuzz/found/TARGET-*: mend what it shows and add it to
# the seeds, which every build replays as tests (ctest -R fuzz/). A finding is repeated by build/fuzz/tests/fuzz-TARGET FILE.
#
# Exit code: 0 nothing found, 1 something was, 77 there is no clang.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

seconds=10 targets=()
while [ $# -gt 0 ]; do
	case $1 in
	--seconds) seconds=${2:?--seconds wants a number}; shift ;;
	-h | --help) sed -n '2,/^set/{/^#/s/^# \{0,1\}//p}' "$0"; exit 0 ;;
	-*) echo "fuzz.sh: no such option: $1 (see --help)" >&2; exit 2 ;;
	*) targets+=("$1") ;;
	esac
	shift
done
if ! command -v clang >/dev/null; then
	echo "skipped: no clang (deploy/packages.sh fuzz)"
	exit 77
fi
if [ ${#targets[@]} = 0 ]; then
	for source in tests/fuzz/fuzz_*.c; do
		target=${source##*/fuzz_}
		targets+=("${target%.c}")
	done
fi
for target in "${targets[@]}"; do
	[ -e "tests/fuzz/fuzz_$target.c" ] || { echo "fuzz.sh: no such target: $target" >&2; exit 2; }
done

log=$(mktemp)
# libFuzzer leaves without cleaning up; in memory, where there is such a place
if [ -w /dev/shm ]; then TMPDIR=$(mktemp -d -p /dev/shm weir-fuzz.XXXXXX); else TMPDIR=$(mktemp -d); fi
export TMPDIR
trap 'rm -rf "$log" "$TMPDIR"' EXIT
cmake --preset fuzz >"$log" 2>&1 && cmake --build build/fuzz --target "${targets[@]/#/fuzz-}" -j "$(nproc)" >"$log" 2>&1 ||
	{ tail -60 "$log" >&2; exit 1; }
mkdir -p build/fuzz/found

# spent PID: seconds of CPU time of a process, empty once it is gone
spent() { awk -v hz="$(getconf CLK_TCK)" '{ sub(/.*\) /, ""); print int(($12 + $13) / hz) }' "/proc/$1/stat" 2>/dev/null || true; }

failed=''
for target in "${targets[@]}"; do
	mkdir -p "build/fuzz/corpus/$target"
	dictionary=tests/fuzz/corpus/$target.dict
	# libFuzzer counts by the wall clock, and this machine may have others to serve: ended by CPU time, from outside
	"build/fuzz/tests/fuzz-$target" -timeout=20 -rss_limit_mb=2000 -print_final_stats=1 -close_fd_mask=1 \
		-artifact_prefix="build/fuzz/found/$target-" -max_len=8192 ${FUZZ_OPTIONS:-} \
		$([ -e "$dictionary" ] && echo "-dict=$dictionary") \
		"build/fuzz/corpus/$target" "tests/fuzz/corpus/$target" >"$log" 2>&1 &
	fuzzer=$!
	used=0
	while now=$(spent $fuzzer) && [ -n "$now" ]; do
		used=$now
		[ "$used" -lt "$seconds" ] || { kill -INT $fuzzer 2>/dev/null || true; break; }
		sleep 0.2
	done
	code=0
	wait $fuzzer || code=$?
	runs=$(awk '/stat::number_of_executed_units/ { print $2 }' "$log")
	features=$(awk '/ cov: / { for (i = 1; i < NF; i++) if ($i == "cov:") last = $(i + 1) } END { print last }' "$log")
	if grep -q 'libFuzzer: run interrupted' "$log" || [ $code = 0 ]; then
		echo "$target: ${used}s CPU, ${runs:-?} runs, coverage ${features:-?}, nothing found"
	else
		echo "$target: FOUND something after ${used}s CPU:"
		grep -vE '^#[0-9]+[[:space:]]' "$log" | tail -40
		failed=1
	fi
done
[ -z "$failed" ]
