#!/usr/bin/env bash
# Measures weir, and Kafka Streams beside it on the same data.
#
#   bench/run.sh W1..W7 [--vs] [--runs N]   one workload; --vs: Kafka Streams right after. A line of key=value for each,
#                                           last w=W1 ratio=... (Kafka Streams' CPU-seconds per million / weir's)
#   bench/run.sh all [--runs N]             every workload, N runs each [3], side by side
#   bench/run.sh latency                    timestamp to committed output, both, by rate and commit interval
#   bench/run.sh scaling                    workers, processes, keys, partitions
#   bench/run.sh start                      start to first record, by parts
#   bench/run.sh parts                      the micro-benchmarks
#   bench/run.sh recovery [KEYS]...         SIGKILL to first new result, both: see bench/recovery.sh
#   bench/run.sh memory                     2 GB of state with memory.bytes.max=128m: filled and restored
#   bench/run.sh profile                    where weir's CPU goes, by threads and libraries (needs perf)
#   bench/run.sh everything                 all of these, then report
#   bench/run.sh report                     the table and the plots in docs/performance.md from bench/results
#   bench/run.sh stop                       stops the broker that it has started
#
# From all to everything they add lines to bench/results/*.txt, and go on where they were when they are called again;
# with --fresh they begin anew; with --for SECONDS they begin none after that time (exit code 3: more is to come).
# Without a broker in WEIR_BENCH_BOOTSTRAP one is started (tests/services.sh) and left running.
# Environment: WEIR_BENCH_DIR [/tmp/weir-bench] data, logs, state; WEIR_BENCH_KAFKA_PORT [19292]; WEIR_BENCH_BUILD
# [build/release], built if need be. Kafka Streams needs a JDK (17) and Maven.
exec python3 "$(dirname "${BASH_SOURCE[0]}")/harness/main.py" "$@"
