"""From SIGKILL to the first new committed result, by the size of the store."""

import re
import threading
import time
from datetime import datetime, timezone

import bench

SIZES = ("10k", "1m", "5m")
# how it comes back: (system, its state.dir is there)
WAYS = {"weir": ("weir", True), "weir-new-dir": ("weir", False), "kafka-streams": ("kafka-streams", True)}
PARTITIONS, RATE, LOAD_S, SESSION_MS = 4, 2000, 10, 6000


def keys_of(size):
    found = re.fullmatch(r"([0-9]+)([km]?)", size)
    if not found:
        bench.fail(f"{size}: a number of keys is wanted, like 10k or 1m")
    return int(found[1]) * {"": 1, "k": 1000, "m": 1000000}[found[2]]


def command(system, broker, application, topic):
    if system == "weir":
        program = [bench.BUILD / "bench-streams", "W3"]
        options = ["instance.id=1", "group.static.membership=true"]
    else:
        program = bench.java("Streams", "W3")
        program.insert(1, "-Dbench.log=INFO")
        options = ["group.instance.id=1", "processing.guarantee=exactly_once_v2"]
    options += ["application.id=" + application, f"state.dir={state_dir(application)}",
                f"session.timeout.ms={SESSION_MS}", "commit.interval.ms=100"]
    return [*program, broker.bootstrap, "--in", topic, "--out", application + ".out", "--serve",
            *(part for option in options for part in ("-X", option))]


def state_dir(application):
    return bench.DIR / "state" / application


def start(system, broker, application, topic, log):
    process = bench.Process(command(system, broker, application, topic), log, WEIR_BENCH_LOG="info")
    process.await_line("running")
    return process


def load(broker, keys):
    """Runs add to it: made anew when that would count."""
    topic = f"recovery-{keys}.in"
    uses = bench.DIR / f"{topic}.uses"
    used = int(uses.read_text()) if uses.exists() else None
    if used is None or used * RATE * LOAD_S * 2 > keys / 4:
        bench.say(f"topic {topic}")
        broker.data("load", topic, f"each:{keys}", 1, keys, PARTITIONS)
        used = 0
    uses.write_text(str(used + 1))
    return topic


def start_and_fill(system, broker, application, topic):
    """What is killed is the process that has filled the store, so that it is as a long run leaves it: not stopped in
    order shortly before."""
    broker.data("create", application + ".out", PARTITIONS)
    process = start(system, broker, application, topic, f"recovery-{system}-1")
    while int(broker.data("lag", application, topic)) > 0:
        time.sleep(0.5)
    return process


# --- what its log tells -----------------------------------------------------------------------------------------


def epoch_ms(stamp):
    return int(datetime.strptime(stamp, "%Y-%m-%dT%H:%M:%S.%f%z").astimezone(timezone.utc).timestamp() * 1000)


def assigned_ms(system, log):
    """When the group had given it its partitions."""
    text = log.read_text()
    if system == "weir":
        found = re.search(r"^(\S+Z) INFO group assigned tasks=[1-9]", text, re.M)
        return epoch_ms(found[1].replace("Z", "+0000")) if found else None
    found = re.search(r"^([0-9]+) INFO StreamThread .*State transition from \S+ to PARTITIONS_ASSIGNED", text, re.M)
    return int(found[1]) if found else None


def restored(log):
    return sum(map(int, re.findall(r"INFO task running task=\S+ restored=([0-9]+)", log.read_text())))


# --- one run ----------------------------------------------------------------------------------------------------


class Kept:
    """Reads what a program says while it runs, so that it never waits for its reader."""

    def __init__(self, process):
        self.lines, self.process = [], process
        self.thread = threading.Thread(target=lambda: self.lines.extend(process.child.stdout))
        self.thread.start()

    def end(self):
        self.thread.join()
        code = self.process.child.wait()
        if code:
            bench.fail(f"bench-recovery ended with {code}: {''.join(self.lines)}{self.process.log.read_text()}")
        return bench.parse(self.lines[-1])


def run(broker, way, size):
    system, keep = WAYS[way]
    keys = keys_of(size)
    topic = load(broker, keys)
    application = f"bench-recovery-{keys}-{way}-{time.time_ns()}"
    bench.say(f"{size} keys, {way}")
    first = start_and_fill(system, broker, application, topic)
    driver = Kept(bench.Process([bench.BUILD / "bench-recovery", broker.bootstrap, topic, application + ".out", keys, RATE,
                                 LOAD_S, first.child.pid], "recovery-driver"))
    first.await_death()
    if not keep:
        state_dir(application).rename(state_dir(application + ".old"))
    second = start(system, broker, application, topic, f"recovery-{system}-2")
    running = time.time()
    times = driver.end()
    group = assigned_ms(system, second.log)
    started, killed = round(second.started * 1000), int(times["killed_epoch_ms"])
    ended = second.end()
    time.sleep(SESSION_MS / 1000 + 1)  # a static member stays in the group so long
    broker.data("clean", application)
    broker.data("drop", application + ".out")
    for name in (application, application + ".old"):
        bench.remove_state(name)
    return {"way": way, "keys": keys, "commit": bench.commit(),
            **{name: times[name] for name in ("first_ms", "all_ms", "caught_up_ms")}, "restart_ms": started - killed,
            "group_ms": group - started if group else "?", "running_ms": round(running * 1000) - killed,
            "restored": restored(second.log) if system == "weir" else ended["restored"],
            "cpu_s": ended["cpu_s"], "rss_mb": ended["rss_mb"], "probes": times["probes"]}


def all_of_them(broker, runs, sizes=SIZES):
    """What is missing in bench/results/recovery.txt."""
    for size in sizes:
        for n in range(1, runs + 1):
            for way in WAYS:
                done = sum(row["way"] == way and row["keys"] == str(keys_of(size)) for row in bench.read_results("recovery"))
                if done < n:
                    bench.Budget.check()
                    bench.add_result("recovery", run(broker, way, size))
