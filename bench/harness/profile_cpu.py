"""Where weir's CPU goes, by threads and libraries: `perf` looks, a thousand times a second."""

import re
import shutil
import time

import bench
import workloads

THREADS = (("bench-streams", "worker"), ("rdk:", "librdkafka's threads"), ("rocksdb:", "RocksDB's threads"))
LIBRARIES = (("bench-streams", "weir"), ("librdkafka", "librdkafka"), ("librocksdb", "RocksDB"), ("[kernel", "kernel"),
             ("libc.", "libc"))


def name_of(found, names):
    return next((name for start, name in names if found.startswith(start)), "other")


def shares(data):
    """{(thread, library): percent}"""
    report = bench.call(["perf", "report", "-i", data, "--no-children", "-g", "none", "-s", "comm,dso", "--stdio"])
    found = {}
    for percent, thread, library in re.findall(r"^ +([0-9.]+)% +(\S+) +(\S+)", report, re.M):
        place = name_of(thread, THREADS), name_of(library, LIBRARIES)
        found[place] = found.get(place, 0.0) + float(percent)
    return found


def run(broker, w):
    workloads.load(broker, w)
    application = workloads.left_application(broker) if w == "W4" else f"bench-profile-{w}-{time.time_ns()}"
    out, data = application + ".out", bench.DIR / "perf.data"
    broker.data("create", out, 4)
    program = workloads.command("weir", w, broker, application, out)
    bench.call(["perf", "record", "-q", "-F", "999", "-g", "-o", data, *program])
    broker.data("drop", out)
    if w != "W4":
        broker.data("clean", application)
    bench.remove_state(application)
    found = shares(data)
    data.unlink()
    return found


def all_of_them(broker, runs):
    """What is missing in bench/results/profile.txt."""
    if not shutil.which("perf"):
        bench.say("perf is not installed: no profile")
        return
    for n in range(1, runs + 1):
        for w in workloads.TOPICS:
            if sum(row["w"] == w and row["library"] == "weir" and row["thread"] == "worker"
                   for row in bench.read_results("profile")) >= n:
                continue
            bench.Budget.check()
            bench.say(f"profile of {w}")
            for (thread, library), percent in run(broker, w).items():
                bench.add_result("profile", {"w": w, "thread": thread.replace(" ", "_"), "library": library,
                                             "commit": bench.commit(), "percent": f"{percent:.1f}"})
