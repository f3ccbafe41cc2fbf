"""How weir's cost per record changes with workers, processes, keys and partitions."""

import time

import bench

RECORDS = 5000000
KEYS = (10000, 30000, 100000, 300000, 1000000, 2000000, 5000000)
PARTITIONS = (1, 10, 50, 100, 200)
WIDE = 12  # partitions, to be shared by workers and processes


def topic_of(broker, name, kind, seed, records, partitions):
    bench.say(f"topic {name}")
    broker.data("load", name, kind, seed, records, partitions)
    return name


def command(w, broker, application, topic, *more):
    return [bench.BUILD / "bench-streams", w, broker.bootstrap, "--in", topic, "--out", application + ".out",
            "-X", "application.id=" + application, *more]


def prepare(broker, what, partitions):
    application = f"bench-scaling-{what}-{time.time_ns()}"
    broker.data("create", application + ".out", partitions)
    return application


def finish(broker, application):
    broker.data("drop", application + ".out")
    broker.data("clean", application)


def kept(fields):
    names = ("n", "records_s", "wall_s", "cpu_s", "cpu_per_M", "rss_mb", "start_s", "threads", "commits", "aborts",
             "other_cpu_s")
    return {name: fields[name] for name in names if name in fields}


def workers(broker, count):
    """Workers in one process."""
    topic = topic_of(broker, "w1-wide", "city", 1, RECORDS, WIDE)
    application = prepare(broker, "workers", WIDE)
    fields = bench.measure(command("W1", broker, application, topic, "-X", f"num.stream.threads={count}",
                                   "-X", f"state.dir={bench.DIR}/state/{application}"), broker, "scaling")
    finish(broker, application)
    bench.remove_state(application)
    return kept(fields)


def processes(broker, count):
    """Processes of one worker each, in one group."""
    topic = topic_of(broker, "w1-wide", "city", 1, RECORDS, WIDE)
    application = prepare(broker, "processes", WIDE)
    dirs = [f"{application}-{i}" for i in range(count)]
    running = [bench.Process(command("W1", broker, application, topic, "--serve",
                                     "-X", f"state.dir={bench.DIR}/state/{name}"), name[-40:]) for name in dirs]
    while int(broker.data("lag", application, topic)):
        time.sleep(0.2)
    wall = time.time() - running[0].started
    ended = [process.end() for process in running]
    finish(broker, application)
    for name in dirs:
        bench.remove_state(name)
    cpu = sum(float(fields["cpu_s"]) for fields in ended)
    return {"n": RECORDS, "wall_s": f"{wall:.3f}", "cpu_s": f"{cpu:.2f}", "cpu_per_M": f"{cpu / RECORDS * 1e6:.3f}",
            "rss_mb": sum(int(fields["rss_mb"]) for fields in ended),
            "shares": ",".join(fields["n"] for fields in ended)}


def keys(broker, count):
    """Keys in the state, uniform."""
    topic = topic_of(broker, f"keys-{count}", f"user:{count}", 3, RECORDS, 4)
    application = prepare(broker, "keys", 4)
    fields = bench.measure(command("W3", broker, application, topic, "-X", f"state.dir={bench.DIR}/state/{application}"),
                           broker, "scaling")
    finish(broker, application)
    bench.remove_state(application)
    broker.data("drop", topic)
    return kept(fields)


def partitions(broker, count):
    """Partitions in one process of one worker."""
    topic = topic_of(broker, f"w1-partitions-{count}", "city", 1, RECORDS // 5, count)
    application = prepare(broker, "partitions", count)
    fields = bench.measure(command("W1", broker, application, topic, "-X", f"state.dir={bench.DIR}/state/{application}"),
                           broker, "scaling")
    finish(broker, application)
    bench.remove_state(application)
    broker.data("drop", topic)
    return kept(fields)


AXES = {"workers": (workers, (1, 2, 4)), "processes": (processes, (1, 2, 3)), "keys": (keys, KEYS),
        "partitions": (partitions, PARTITIONS)}


def all_of_them(broker, runs):
    """What is missing in bench/results/scaling.txt."""
    for n in range(1, runs + 1):
        for axis, (measure, values) in AXES.items():
            for value in values:
                done = sum((f["axis"], f["value"]) == (axis, str(value)) for f in bench.read_results("scaling"))
                if done >= n:
                    continue
                bench.Budget.check()
                bench.say(f"{axis}={value}")
                bench.add_result("scaling", {"axis": axis, "value": value, "commit": bench.commit(),
                                             **measure(broker, value)})
