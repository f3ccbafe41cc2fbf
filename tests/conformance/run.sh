#!/usr/bin/env bash
# Weir against Kafka Streams: the same topologies, the same random input, the results compared line by line.
#
#   tests/conformance/run.sh [--live] [--seed N] [--seeds N] [--disk] [--release] [CASE...]
#
#   (nothing)   against the results of Kafka Streams that are kept in golden/; needs no Java
#   --live      asks Kafka Streams afresh (a JDK and Maven: deploy/packages.sh conformance): the first input
#               that differs is shown, made as small as it gets
#   --topologies N   no cases: N random topologies, with some inputs each [3], from --seed on; what differs is made
#               small. With --live against Kafka Streams; else weir against itself, by other ways
#   --golden    writes golden/ from Kafka Streams
#   --print     prints what weir makes of one input
#   --seed N    the first seed [1];  --seeds N: how many, with --live [20]
#   --disk      weir's stores on disk; else in memory
#   --release   weir with optimisation
#   --program FILE  weir's side, built already
#   CASE        names in cases/, without .case; all of them if none is given
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
here=tests/conformance

live='' preset=dev program='' cases=() arguments=() seeds=''
while [ $# -gt 0 ]; do
	case $1 in
	--live) live=1 ;;
	--golden) live=1 arguments+=(-w) ;;
	--print) arguments+=(-p) ;;
	--seed) arguments+=(-s "$2"); shift ;;
	--seeds) seeds=$2; shift ;;
	--topologies) arguments+=(-T "$2"); seeds=${seeds:-3}; shift ;;
	--disk) arguments+=(-D) ;;
	--release) preset=release ;;
	--program) program=$2; shift ;;
	-h | --help) sed -n '2,/^set/{/^#/s/^# \{0,1\}//p}' "$0"; exit 0 ;;
	-*) echo "run.sh: unknown option $1 (--help lists them)" >&2; exit 2 ;;
	*) cases+=("$1") ;;
	esac
	shift
done

log=$(mktemp)
trap 'rm -f "$log"' EXIT
quietly() { "$@" >"$log" 2>&1 || { tail -40 "$log" >&2; exit 1; }; }

if [ -z "$program" ]; then
	program=build/$preset/tests/conformance
	[ -d "build/$preset" ] || quietly cmake --preset "$preset"
	quietly cmake --build "build/$preset" --target conformance
fi

if [ -n "$live" ]; then
	source $here/java.sh
	java_side
	arguments+=(-l "$java_run conformance.Main $here/cases")
fi
arguments+=(-n "${seeds:-20}")
"$program" "${arguments[@]}" "${cases[@]}"
