"""Tables and plots in docs/performance.md and docs/reliability.md from bench/results/*.txt. What stands between their
markers is written anew."""

import re
import statistics

import bench
import latency
import recovery
import scaling
import svg
import workloads

PAGE = bench.ROOT / "docs/performance.md"
PLOTS = bench.ROOT / "docs/performance"
WHAT = {"W1": "windowed count by 5,000 cities, commit each second", "W2": "the same, each 100 ms",
        "W3": "count of 1 M keys", "W4": "restore of the changelog that Kafka Streams' W3 left",
        "W5": "filter and map", "W6": "stream-stream join", "W7": "repartition and count"}
MOST = {"W1": 0.8, "W2": 0.85, "W3": 2.5, "W4": 0.6, "W5": 0.9, "W6": 2.5, "W7": 1.9}


def values(rows, name):
    return [float(row[name]) for row in rows if name in row]


def median(rows, name):
    found = values(rows, name)
    return statistics.median(found) if found else None


def spread(rows, name, form="{:.2f}"):
    """median [lowest..highest]"""
    found = values(rows, name)
    if not found:
        return "-"
    middle = form.format(statistics.median(found))
    if len(found) == 1:
        return middle
    return f"{middle} [{form.format(min(found))}..{form.format(max(found))}]"


def pick(rows, **wanted):
    return [row for row in rows if all(row.get(k) == str(v) for k, v in wanted.items())]


def table(head, lines):
    rows = [head, ["---"] * len(head), *lines]
    return "\n".join("| " + " | ".join(map(str, row)) + " |" for row in rows)


def plot(name):
    PLOTS.mkdir(exist_ok=True)
    return PLOTS / (name + ".svg")


# --- workloads --------------------------------------------------------------------------------------------------


def of_workloads():
    rows, lines, groups = bench.read_results("workloads"), [], []
    for w, what in WHAT.items():
        weir, streams = pick(rows, w=w, system="weir"), pick(rows, w=w, system="kafka-streams")
        if not weir:
            continue
        cost, other = median(weir, "cpu_per_M"), median(streams, "cpu_per_M")
        lines.append([f"{w} {what}", len(weir), spread(weir, "cpu_per_M"), MOST[w], spread(streams, "cpu_per_M"),
                      f"{other / cost:.1f}" if other else "-", spread(weir, "rss_mb", "{:.0f}"),
                      spread(streams, "rss_mb", "{:.0f}"), f"{median(weir, 'records_s') / 1e6:.2f}",
                      f"{median(streams, 'records_s') / 1e6:.2f}" if streams else "-"])
        groups.append((w, {"weir": cost, **({"Kafka Streams": other} if other else {})}))
    if not groups:
        return None
    svg.bars(plot("workloads"), "CPU-seconds per million records", "CPU-s (logarithmic)", groups, log_y=True)
    head = ["", "runs", "weir, CPU-s per M", "at most", "Kafka Streams, CPU-s per M", "ratio", "weir, peak MB",
            "Kafka Streams, peak MB", "weir, M records/s", "Kafka Streams, M records/s"]
    return table(head, lines) + "\n\n![CPU-seconds per million records](performance/workloads.svg)"


# --- latency ----------------------------------------------------------------------------------------------------


def of_latency():
    rows, lines, plots = bench.read_results("latency"), [], []
    for rate in latency.RATES:
        series = {}
        for interval in latency.INTERVALS_MS:
            for system in latency.SYSTEMS:
                some = pick(rows, system=system, rate=rate, interval_ms=interval)
                if not some:
                    continue
                lines.append([f"{rate // 1000} k", interval, system, len(some), spread(some, "p50_ms", "{:.0f}"),
                              spread(some, "p99_ms", "{:.0f}"), spread(some, "max_ms", "{:.0f}"),
                              spread(some, "app_cores")])
                series.setdefault(system, []).append((interval, median(some, "p99_ms")))
        if series:
            name = f"latency-{rate // 1000}k"
            svg.lines(plot(name), f"99 % of {rate // 1000} k records/s are in committed results after",
                      "commit interval, ms", "ms", series, log_x=True, log_y=True)
            plots.append(f"![latency at {rate // 1000} k records/s](performance/{name}.svg)")
    head = ["records/s", "commit interval, ms", "system", "runs", "p50, ms", "p99, ms", "max, ms", "cores of the application"]
    return table(head, lines) + "\n\n" + "\n".join(plots) if lines else None


# --- scaling ----------------------------------------------------------------------------------------------------


def of_axis(axis, columns):
    rows, lines = pick(bench.read_results("scaling"), axis=axis), []
    for value in scaling.AXES[axis][1]:
        some = pick(rows, value=value)
        if some:
            lines.append([f"{value:,}", len(some), *[spread(some, name, form) for name, form in columns.values()]])
    return rows, table([axis, "runs", *columns], lines) if lines else None


def curve(rows, name):
    found = sorted({int(row["value"]) for row in rows})
    return [(value, median(pick(rows, value=value), name)) for value in found]


def of_scaling():
    cost, memory = ("cpu_per_M", "{:.2f}"), ("rss_mb", "{:.0f}")
    parts = []
    both = {}
    for axis in ("workers", "processes"):
        rows, made = of_axis(axis, {"CPU-s per M": cost, "seconds": ("wall_s", "{:.1f}"), "peak MB": memory})
        if made:
            parts.append(made)
            both[axis] = curve(rows, "cpu_per_M")
    if both:
        svg.lines(plot("workers"), "W1 on 12 partitions, shared", "workers in a process, or processes", "CPU-s per M", both)
        parts.append("![workers and processes](performance/workers.svg)")
    rows, made = of_axis("keys", {"CPU-s per M": cost, "M records/s": ("records_s", "{:.0f}"), "peak MB": memory})
    if made:
        svg.lines(plot("keys"), "W3 by the number of keys, 5 M records", "keys", "CPU-s per M",
                  {"weir": curve(rows, "cpu_per_M")}, log_x=True)
        parts += [made.replace("M records/s", "records/s"), "![keys](performance/keys.svg)"]
    rows, made = of_axis("partitions", {"threads": ("threads", "{:.0f}"), "peak MB": memory,
                                        "start to first record, s": ("start_s", "{:.2f}"), "CPU-s": ("cpu_s", "{:.2f}")})
    if made:
        svg.lines(plot("partitions"), "One process, one worker, 1 M records", "partitions", "s, to the first record",
                  {"weir": curve(rows, "start_s")})
        parts += [made, "![partitions](performance/partitions.svg)"]
    return "\n\n".join(parts) or None


# --- start, parts -----------------------------------------------------------------------------------------------


def of_start():
    rows, lines = bench.read_results("start"), []
    for cluster in ("embedded", "kafka"):
        some = pick(rows, cluster=cluster)
        if some:
            lines.append([cluster, len(some), *[spread(some, name + "_ms", "{:.0f}") for name in
                                                ("total", "port", "own", "main_own", "worker_own", "cpu")]])
    head = ["cluster", "runs", "to the first record, ms", "of it in the Kafka port", "weir's own", "of it: opening the state",
            "of it: the worker, to the first record", "CPU-ms, all"]
    return table(head, lines) if lines else None


def of_parts():
    rows = bench.read_results("parts")
    names = list(dict.fromkeys(row["part"] for row in rows))
    lines = [[name.replace("_", " "), len(pick(rows, part=name)), spread(pick(rows, part=name), "cpu_per_M", "{:.3f}")]
             for name in names]
    return table(["part", "runs", "CPU-s per M"], lines) if lines else None


# --- recovery ---------------------------------------------------------------------------------------------------


def of_recovery():
    rows, lines = bench.read_results("recovery"), []
    named = {"weir": "weir", "weir-new-dir": "weir, `state.dir` lost", "kafka-streams": "Kafka Streams"}
    for keys in sorted({int(row["keys"]) for row in rows}):
        for way in recovery.WAYS:
            some = pick(rows, keys=keys, way=way)
            if some:
                lines.append([f"{keys:,}", named[way], len(some),
                              *[seconds(some, name) for name in ("first_ms", "all_ms", "group_ms")],
                              spread(some, "restored", "{:,.0f}"), spread(some, "cpu_s"), spread(some, "rss_mb", "{:.0f}")])
    head = ["keys", "", "runs", "to the first result, s", "of every partition, s", "of it the group, s", "records restored",
            "CPU-s", "peak MB"]
    return table(head, lines) if lines else None


def seconds(rows, name):
    return spread([{name: float(row[name]) / 1000} for row in rows if row[name] != "?"], name, "{:.1f}")


# --- where it goes ----------------------------------------------------------------------------------------------


PLACES = {
    "weir": [("worker", "weir")],
    "librdkafka, in the worker": [("worker", "librdkafka")],
    "librdkafka's threads, with libc and kernel": [("librdkafka's_threads", None)],
    "libc in the worker (memory, locks)": [("worker", "libc")],
    "kernel in the worker": [("worker", "kernel")],
    "RocksDB": [("worker", "RocksDB"), ("RocksDB's_threads", None)],
}


def of_profile():
    rows, lines = bench.read_results("profile"), []
    for w in WHAT:
        some = pick(rows, w=w)
        runs = len(pick(some, thread="worker", library="weir"))
        if not runs:
            continue
        shares = [sum(float(row["percent"]) for row in some for thread, library in places
                      if row["thread"] == thread and library in (None, row["library"])) / runs
                  for places in PLACES.values()]
        lines.append([w, *[f"{share:.0f}" for share in shares], f"{100 - sum(shares):.0f}"])
    return table(["% of the CPU", *PLACES, "other"], lines) if lines else None


def of_tried():
    rows = bench.read_results("tried")
    names = list(dict.fromkeys((row["w"], row["what"]) for row in rows))
    lines = [[w, what.replace("_", " "), len(pick(rows, w=w, what=what)), spread(pick(rows, w=w, what=what), "cpu_per_M")]
             for w, what in names]
    return table(["", "what", "runs", "CPU-s per M"], lines) if lines else None


# --- the pages --------------------------------------------------------------------------------------------------

PAGES = {PAGE: {"workloads": of_workloads, "latency": of_latency, "scaling": of_scaling, "start": of_start,
                "parts": of_parts, "profile": of_profile, "tried": of_tried},
         bench.ROOT / "docs/reliability.md": {"recovery": of_recovery}}


def write():
    """What is not measured keeps its place."""
    for page, sections in PAGES.items():
        text = page.read_text()
        for name, make in sections.items():
            made = make()
            pattern = re.compile(f"(<!-- {name}: written by bench/run.sh report -->\n).*?(<!-- /{name} -->)", re.S)
            if not pattern.search(text):
                bench.fail(f"{page} has no place for {name}")
            if made:
                text = pattern.sub(lambda found, made=made: found[1] + made + "\n" + found[2], text)
        page.write_text(text)
