"""From a record's timestamp to its committed output, at several rates and commit intervals."""

import time

import bench

RATES = (10000, 100000)
INTERVALS_MS = (10, 100, 1000)
# Kafka Streams with its record cache, which is its default, and without
SYSTEMS = {"weir": [], "kafka-streams": [], "kafka-streams-no-cache": ["-X", "statestore.cache.max.bytes=0"]}


def command(system, broker, application, interval_ms):
    if system == "weir":
        program = [bench.BUILD / "bench-streams", "W1"]
    else:
        program = bench.java("Streams", "W1")
    exactly_once = [] if system == "weir" else ["-X", "processing.guarantee=exactly_once_v2"]
    return [*program, broker.bootstrap, "--in", application + ".in", "--out", application + ".out", "--serve",
            "-X", "application.id=" + application, "-X", f"state.dir={bench.DIR}/state/{application}",
            "-X", f"commit.interval.ms={interval_ms}", *exactly_once, *SYSTEMS[system]]


def run(broker, system, rate, interval_ms, warm_s, run_s):
    application = f"bench-latency-{system}-{time.time_ns()}"
    for topic in (".in", ".out"):
        broker.data("create", application + topic, 4)
    bench.say(f"{system}, {rate} records/s, commit each {interval_ms} ms")
    app = bench.Process(command(system, broker, application, interval_ms), f"latency-{system}")
    app.await_line("running")
    before, began = bench.process_cpu(app.child.pid), time.time()
    before_broker, before_all = broker.cpu(), bench.machine_cpu()
    driver = bench.Process([bench.BUILD / "bench-latency", broker.bootstrap, application + ".in", application + ".out",
                            rate, warm_s, run_s], "latency-driver").end()
    seconds = time.time() - began
    cores = (bench.process_cpu(app.child.pid) - before) / seconds
    broker_cores = (broker.cpu() - before_broker) / seconds
    all_cores = (bench.machine_cpu() - before_all) / seconds
    driver_cores = float(driver["cpu_s"]) / seconds
    ended = app.end()
    broker.data("drop", application + ".in", application + ".out")
    broker.data("clean", application)
    bench.remove_state(application)
    kept = {k: driver[k] for k in ("sent", "outputs", "p50_ms", "p90_ms", "p99_ms", "p999_ms", "max_ms",
                                   "sender_behind_ms")}
    return {"system": system, "rate": rate, "interval_ms": interval_ms, "commit": bench.commit(), **kept,
            "commits": ended["commits"], "app_cores": f"{cores:.2f}", "broker_cores": f"{broker_cores:.2f}",
            "driver_cores": f"{driver_cores:.2f}",
            "other_cores": f"{max(0, all_cores - cores - broker_cores - driver_cores):.2f}", "rss_mb": ended["rss_mb"]}


def all_of_them(broker, runs, warm_s=15, run_s=30):
    """What is missing in bench/results/latency.txt."""
    for n in range(1, runs + 1):
        for rate in RATES:
            for interval_ms in INTERVALS_MS:
                for system in SYSTEMS:
                    key = (system, str(rate), str(interval_ms))
                    done = sum((f["system"], f["rate"], f["interval_ms"]) == key for f in bench.read_results("latency"))
                    if done < n:
                        bench.Budget.check()
                        bench.add_result("latency", run(broker, system, rate, interval_ms, warm_s, run_s))
