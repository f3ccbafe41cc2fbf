#!/usr/bin/env bash
# Builds weir and EvilNet and runs the tests; needs nothing but Debian (12 or later) and, for packages that are missing, root.
#
#   tests/run.sh [--fast] [--asan | --tsan | --release] [CTEST-ARGUMENTS...]
#
#   --fast      only the tests that need no service; else Kafka and MariaDB are started for the others (tests/services.sh),
#               on free ports and in a directory of their own, and stopped at the end
#   --asan      with address and undefined-behaviour sanitizers;  --tsan: with the thread sanitizer
#   --release   with optimisation
#   Other arguments go to ctest: tests/run.sh -R kafka
#
# Services that the environment names already (WEIR_TEST_BOOTSTRAP, WEIR_TEST_MYSQL_SOCKET) are used as they are.
# The last line is "N passed, N failed", counted in test cases; exit code 0 when none failed.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

preset=dev fast='' pass=()
for argument; do
	case $argument in
	--fast) fast=1 ;;
	--asan | --tsan | --release) preset=${argument#--} ;;
	-h | --help) sed -n '2,/^set/{/^#/s/^# \{0,1\}//p}' "$0"; exit 0 ;;
	*) pass+=("$argument") ;;
	esac
done
build=build/$preset
jobs=$(nproc)

step() { echo "== $*" >&2; }

# run_label LABEL JOBS: its results are appended to $results; whether any failed is told by the count at the end
run_label() {
	local report failed=''
	report=$PWD/$build/report-$1.xml
	rm -f "$report"
	step "tests: $1"
	ctest --test-dir "$build" -L "^$1\$" -j "$2" --output-on-failure --no-tests=ignore --output-junit "$report" \
		--test-output-size-passed 100000000 --test-output-size-failed 100000000 "${pass[@]}" >&2 || failed=1
	if [ -e "$report" ]; then
		cat "$report" >>"$results"
	elif [ -n "$failed" ]; then
		echo "<testcase name=\"ctest -L $1\" status=\"fail\"></testcase>" >>"$results"
	fi
}

# Test cases, not programs: each cmocka program says how many passed and failed; a program of another kind, and one
# that did not get so far, counts as one.
count_results() {
	awk '
	/<testcase / {
		match($0, / name="[^"]*"/); name = substr($0, RSTART + 7, RLENGTH - 8)
		match($0, / status="[^"]*"/); status = substr($0, RSTART + 9, RLENGTH - 10)
		ok = bad = 0
	}
	/\[  PASSED  \] [0-9]+ test/ { ok = $4 }
	/\[  FAILED  \] [0-9]+ test/ { bad = $4 }
	/<\/testcase>/ {
		if (status == "run") passed += ok ? ok : 1
		else if (status == "fail") { passed += ok; failed += bad ? bad : 1; print "failed: " name > "/dev/stderr" }
		else print "skipped: " name > "/dev/stderr"
	}
	END { printf "%d passed, %d failed\n", passed, failed; exit failed > 0 || passed == 0 }' "$1"
}

port_taken() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }
free_port() {
	local port
	while port=$((RANDOM % 10000 + 20000)); port_taken "$port" || port_taken $((port + 1)); do :; done
	echo "$port"
}

results=$(mktemp)
started=''
finish() {
	local code=$?
	trap - EXIT
	if [ -n "$started" ]; then
		tests/services.sh stop 2>/dev/null || true
		if [ $code = 0 ]; then rm -rf "$WEIR_TEST_DIR"; else echo "logs of the services: $WEIR_TEST_DIR" >&2; fi
	fi
	rm -f "$results"
	exit $code
}
trap finish EXIT
trap 'exit 130' INT TERM

start_services() {
	local missing=()
	[ -n "${WEIR_TEST_BOOTSTRAP:-}" ] || missing+=(kafka)
	[ -n "${WEIR_TEST_MYSQL_SOCKET:-}" ] || missing+=(mysql)
	[ ${#missing[@]} -gt 0 ] || return 0
	step "services: ${missing[*]}"
	WEIR_TEST_DIR=$(mktemp -d /tmp/weir-tests.XXXXXX)
	WEIR_TEST_KAFKA_PORT=$(free_port)
	WEIR_TEST_MYSQL_PORT=$(free_port)
	export WEIR_TEST_DIR WEIR_TEST_KAFKA_PORT WEIR_TEST_MYSQL_PORT
	export WEIR_TEST_KAFKA_PROPERTIES=${WEIR_TEST_KAFKA_PROPERTIES-log.retention.check.interval.ms=1000}
	started=1
	local exports
	exports=$(tests/services.sh start "${missing[@]}")
	eval "$exports"
}

deploy/packages.sh build test
[ -n "$fast" ] || deploy/packages.sh test-slow conformance browser
step "build: $preset"
cmake --preset "$preset" -DBUILD_TESTING=ON >"$results" || { cat "$results" >&2; exit 1; }
cmake --build --preset "$preset" -j "$jobs" >"$results" || { tail -60 "$results" >&2; exit 1; }
: >"$results"
run_label fast "$jobs"
if [ -z "$fast" ]; then
	start_services
	run_label slow 1
	run_label browser 1
fi
count_results "$results"
