#!/usr/bin/env bash
# record_path.sh PROGRAM MOST: instructions of weir's own code for one record of W1, from the port's hand-over to the
# return to it, counted by callgrind: the same number on each run. At most MOST; exit code 77 without valgrind.
set -euo pipefail
program=$1 most=$2 records=20000

command -v valgrind >/dev/null || exit 77
out=$(mktemp)
trap 'rm -f "$out"' EXIT
said=$(valgrind --tool=callgrind --callgrind-out-file="$out" --toggle-collect=weir__input_process "$program" "$records" 2>&1)
collected=$(sed -n 's/.*Collected : \([0-9]*\).*/\1/p' <<<"$said")
[ -n "$collected" ] && [ "$collected" -gt 0 ] || { echo "$said" >&2; exit 1; }
echo "$((collected / records)) instructions a record, at most $most"
[ $((collected / records)) -le "$most" ]
