"""bench/run.sh's commands; it says what they are."""

import argparse
import sys

import bench
import latency
import scaling
import workloads


def arguments():
    parser = argparse.ArgumentParser(prog="bench/run.sh")
    parser.add_argument("what", choices=[*workloads.TOPICS, "all", "latency", "scaling", "stop"])
    parser.add_argument("--vs", action="store_true", help="Kafka Streams right after")
    parser.add_argument("--runs", type=int)
    parser.add_argument("--fresh", action="store_true", help="forget the results so far")
    return parser.parse_args()


def main():
    given = arguments()
    if given.what == "stop":
        bench.Broker.services("stop", "kafka")
        return
    bench.build()
    if given.vs or given.what not in workloads.TOPICS or given.what == "W4":
        bench.build_java()
    broker = bench.Broker()
    if given.fresh:
        bench.begin_anew({"all": "workloads"}.get(given.what, given.what))
    if given.what in workloads.TOPICS:
        workloads.one(broker, given.what, given.vs, given.runs or 1)
    elif given.what == "all":
        workloads.all_of_them(broker, given.runs or 3)
    elif given.what == "latency":
        latency.all_of_them(broker, given.runs or 1)
    elif given.what == "scaling":
        scaling.all_of_them(broker, given.runs or 1)


if __name__ == "__main__":
    sys.exit(main())
