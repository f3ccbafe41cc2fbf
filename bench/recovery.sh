#!/usr/bin/env bash
# Measures the time from SIGKILL to the first new committed result: weir with the same state.dir, weir with a new one,
# and Kafka Streams under exactly_once_v2, side by side, for stores of so many keys.
#
#   bench/recovery.sh [KEYS]... [--runs N] [--fresh]   KEYS: 10k, 1m, 5m (all three unless said); N runs of each [3]
#
# Adds lines of key=value to bench/results/recovery.txt, and goes on where it was when it is called again; with --fresh
# it begins anew. bench/run.sh report writes the table in docs/reliability.md. Broker and environment: see bench/run.sh.
exec python3 "$(dirname "${BASH_SOURCE[0]}")/harness/main.py" recovery "$@"
