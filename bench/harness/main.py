"""bench/run.sh's commands; it says what they are."""

import argparse
import sys

import bench
import latency
import memory
import parts
import recovery
import profile_cpu
import report
import scaling
import workloads

# command: (results file, what it does, runs unless --runs says)
MEASURE = {
    "all": ("workloads", workloads.all_of_them, 3),
    "latency": ("latency", latency.all_of_them, 1),
    "scaling": ("scaling", scaling.all_of_them, 1),
    "start": ("start", parts.start, 5),
    "parts": ("parts", parts.parts, 3),
    "recovery": ("recovery", recovery.all_of_them, 3),
    "memory": ("memory", memory.both, 1),
    "profile": ("profile", profile_cpu.all_of_them, 1),
}


def arguments():
    parser = argparse.ArgumentParser(prog="bench/run.sh", description="What each does: see the head of bench/run.sh.")
    parser.add_argument("what", choices=[*workloads.TOPICS, *MEASURE, "everything", "report", "stop"])
    parser.add_argument("sizes", nargs="*", help="of recovery: numbers of keys, like 10k 1m")
    parser.add_argument("--vs", action="store_true", help="a workload: Kafka Streams right after")
    parser.add_argument("--runs", type=int, help="how many of each")
    parser.add_argument("--for", type=float, dest="seconds", help="begin no measurement after so many; ends with 3 then")
    parser.add_argument("--fresh", action="store_true", help="forget the results so far")
    return parser.parse_args()


def main():
    given = arguments()
    if given.what == "stop":
        bench.Broker.services("stop", "kafka")
        return
    if given.what == "report":
        report.write()
        return
    bench.build()
    if given.seconds:
        bench.Budget.spend(given.seconds)
    if given.vs or given.what in ("all", "latency", "recovery", "everything", "W4"):
        bench.build_java()
    broker = bench.Broker()
    if given.what in workloads.TOPICS:
        workloads.one(broker, given.what, given.vs, given.runs or 1)
        return
    for what in MEASURE if given.what == "everything" else [given.what]:
        name, measure, runs = MEASURE[what]
        if given.fresh:
            bench.begin_anew(name)
        measure(broker, given.runs or runs, *([given.sizes] if given.sizes else []))
    if given.what == "everything":
        report.write()


if __name__ == "__main__":
    sys.exit(main())
