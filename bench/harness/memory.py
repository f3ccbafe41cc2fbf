"""A store much larger than memory.bytes.max: what the process takes up while it fills it, and while it restores it."""

import re
import time

import bench

KEYS, RECORDS, PARTITIONS = 2000000, 3000000, 4
BUDGET, MOST_MB = "128m", 160
TOPIC = "memory-in"


def command(broker, application, *more):
    return [bench.BUILD / "bench-streams", "W8", broker.bootstrap, "--in", TOPIC, "--progress", *more,
            "-X", "application.id=" + application, "-X", f"state.dir={bench.DIR}/state/{application}",
            "-X", "memory.bytes.max=" + BUDGET, "-X", "instance.id=1", "-X", "commit.interval.ms=100"]


def store_mb(application):
    files = (bench.DIR / "state" / application).rglob("*.sst")
    return sum(path.stat().st_size for path in files) >> 20


def seconds_of(log):
    """Its progress, second by second."""
    return [bench.parse(line) for line in log.read_text().splitlines() if line.startswith("t_s=")]


def slowest_and_fastest(rows, name):
    """Records a second over ten seconds."""
    each = [(float(b[name]) - float(a[name])) / (float(b["t_s"]) - float(a["t_s"]))
            for a, b in zip(rows, rows[10:]) if float(a[name]) > 0 and float(b["t_s"]) > float(a["t_s"])]
    return f"{min(each):.0f}..{max(each):.0f}" if each else "?"


def fill(broker, application):
    bench.say(f"filling a store of {KEYS} keys of 1000 bytes with memory.bytes.max={BUDGET}")
    process = bench.Process(command(broker, application), "memory-fill")
    fields = process.end()
    return {"what": "fill", "commit": bench.commit(), "n": fields["n"], "records_s": fields["records_s"],
            "records_s_over_10s": slowest_and_fastest(seconds_of(process.log), "done"), "cpu_s": fields["cpu_s"],
            "rss_mb": fields["rss_mb"], "store_mb": store_mb(application), "aborts": fields["aborts"]}


def restore(broker, application):
    bench.say("restoring it")
    bench.remove_state(application)
    process = bench.Process(command(broker, application, "--serve"), "memory-restore", WEIR_BENCH_LOG="info")
    process.await_line("running")
    took = time.time() - process.started
    fields = process.end()
    rows = seconds_of(process.log)
    done = sum(map(int, re.findall(r"INFO task running task=\S+ restored=([0-9]+)", process.log.read_text())))
    return {"what": "restore", "commit": bench.commit(), "n": done, "records_s": f"{done / took:.0f}",
            "records_s_over_10s": slowest_and_fastest(rows, "restored"), "cpu_s": fields["cpu_s"],
            "rss_mb": fields["rss_mb"], "store_mb": store_mb(application), "aborts": fields["aborts"]}


def both(broker, runs):
    broker.data("load", TOPIC, f"large:{KEYS}", 1, RECORDS, PARTITIONS)
    for _ in range(runs):
        application = f"bench-memory-{time.time_ns()}"
        for step in (fill, restore):
            bench.Budget.check()
            fields = step(broker, application)
            bench.add_result("memory", fields)
            if int(fields["rss_mb"]) > MOST_MB:
                bench.fail(f"{fields['what']}: {fields['rss_mb']} MB, {MOST_MB} is the most")
        broker.data("clean", application)
        bench.remove_state(application)
