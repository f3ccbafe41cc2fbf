"""What the faults act on: instances behind their proxies, the broker, the database; and who looks after them."""
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
TESTS = os.path.dirname(HERE)
sys.path.insert(0, os.path.join(TESTS, "integration", "e2e"))
sys.dont_write_bytecode = True
import harness  # noqa: E402
from harness import check  # noqa: E402

WINDOW_MS, GRACE_MS, SKEW_MS = 30_000, 60_000, 60_000
SESSION_S = 6
DISK_MB = 192
STOP_S = 45  # a polite end, while the broker or the database is away
INSTANCES = 3
PARTITIONS = 6
LAST_POSTS = 50  # of a partition: they can hardly all be late or repeated, which moves no row

RECENT_S = 90
RESTART_S = 1
STARTS = 4  # a broker on a busy machine may give up while it starts

# What an instance may say when it ends by itself, each only where that has been done to it, and what an operator does
# about it (docs/operations.md). The assertion: RocksDB reads the properties of an ingested file without its checksum.
EXCUSES = {
    "disk": r"No space left on device",
    "state": r"Corruption|(open|read) the database|checkpoint record of|/table/.* rocksdb::.* Assertion",
    "positions": r"goes on behind the committed positions",
    "broker": r"bootstrap\.servers is .*|no answer from the brokers|timed out|Timed out|transport failure|task\.timeout\.ms",
}


def error_of(process):
    """The last line that evilnet says: why it has ended."""
    lines = re.findall(r"^evilnet: (.*)$", process.text(), re.M)
    return lines[-1] if lines else ""


class Instance:
    """A process with a name, a state directory and a way to the broker of its own."""

    def __init__(self, cluster, name, port):
        self.cluster, self.name, self.port = cluster, name, port
        self.process = None
        self.busy = self.held = False  # a fault has it; it is down on purpose
        self.last_cut = self.last_full = -1000  # when it was last cut off from the broker; its disk was full
        self.spoilt = False  # its database's files
        self.ended = 0  # when it was seen that it has ended by itself
        self.dir = cluster.app.state_dir(name)
        self.mounted = False

    @property
    def cut(self):
        return time.monotonic() - self.last_cut < RECENT_S

    def excuse(self, error):
        """Why it may have ended with that, or None."""
        fits = {name for name, pattern in EXCUSES.items() if re.search(pattern, error)}
        if self.spoilt and "state" in fits:
            return "state"
        if time.monotonic() - self.last_full < RECENT_S and "disk" in fits:
            return "disk"
        if "positions" in fits and self.cluster.kafka.last_away > 0:
            return "positions"
        return "broker" if "broker" in fits and (self.cut or self.cluster.kafka.recent) else None

    def start(self):
        self.held, self.ended = False, 0
        self.process = self.cluster.app.start("process", instance=self.name, instance_id=f"chaos-{self.name}",
                                              bootstrap_servers=f"127.0.0.1:{self.port}")

    def running(self):
        return self.process is not None and self.process.running()

    def kill(self):
        self.held = True
        if self.running():
            self.process.popen.kill()
            self.process.popen.wait()

    def signal(self, number):
        if self.running():
            self.process.popen.send_signal(number)

    def mount(self):
        """A small disk of its own; only root can have one."""
        os.makedirs(self.dir, exist_ok=True)
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK_MB}m", "weir-chaos", self.dir],
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
        self.mounted = done.returncode == 0
        return self.mounted

    def unmount(self):
        if self.mounted:
            subprocess.run(["umount", "-l", self.dir], check=False)
            self.mounted = False

    def files(self):
        """Of the database, paths; without its lock and its log."""
        found = []
        for base, _, names in os.walk(self.dir):
            found += [os.path.join(base, n) for n in names if re.match(r".*\.sst$|MANIFEST|CURRENT|OPTIONS", n)]
        return sorted(found)

    def forget(self):
        """All local state goes."""
        self.spoilt = False
        for name in os.listdir(self.dir) if os.path.isdir(self.dir) else ():
            path = os.path.join(self.dir, name)
            shutil.rmtree(path) if os.path.isdir(path) else os.unlink(path)


class Proxy:
    def __init__(self, links, to_itself):
        self.popen = subprocess.Popen([sys.executable, os.path.join(HERE, "proxy.py"),
                                       *(f"{listen}:{target}" for listen, target in links), to_itself],
                                      stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.popen.stdout.readline()

    def tell(self, command, port):
        self.popen.stdin.write(f"{command} {port}\n".encode())
        self.popen.stdin.flush()
        check(self.popen.stdout.readline() == b"done\n", "the proxy has ended")

    def stop(self):
        self.popen.stdin.close()
        self.popen.wait()


class Service:
    """kafka or mysql, as tests/services.sh runs them."""

    def __init__(self, name):
        self.name, self.busy, self.job = name, False, None
        self.last_away = -1000

    @property
    def recent(self):
        """It is away, or was a moment ago."""
        return self.busy or time.monotonic() - self.last_away < RECENT_S

    def tell(self, command):
        """Does not wait; ready() tells."""
        self.last_away = time.monotonic()
        self.job = subprocess.Popen([os.path.join(TESTS, "services.sh"), command, self.name],
                                    stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)

    def ready(self):
        return self.job.poll() is not None

    def done(self):
        return self.job.poll() == 0

    def restart(self):
        """Waits."""
        for command in ("stop", *["start"] * STARTS):
            self.tell(command)
            self.job.wait()
            if command == "start" and self.done():
                return
        check(False, f"{self.name} does not come back: {self.said()}")

    def said(self):
        return self.job.stderr.read().decode() if self.ready() else "it has not come to an end"


class Cluster:
    def __init__(self, case, seed, rate):
        self.case, self.rate, self.seed = case, rate, seed
        self.begin = time.monotonic()
        self.app = case.application(
            "chaos", group_static_membership="true", evilnet_window=f"{WINDOW_MS}ms", evilnet_grace=f"{GRACE_MS}ms",
            evilnet_time_skew_max=f"{SKEW_MS}ms", session_timeout_ms=f"{SESSION_S}s", checkpoint_interval_ms="2s",
            task_timeout_ms="2m")
        base = int(os.environ["WEIR_TEST_KAFKA_PORT"])
        links = [(base + 10 + i, base + 1 + i) for i in range(1, INSTANCES + 2)]
        self.proxy = Proxy(links, f"{base + 10 + INSTANCES + 2}:{base + 1 + INSTANCES + 2}:wait")
        self.instances = [Instance(self, str(i + 1), links[i][0]) for i in range(INSTANCES + 1)]
        self.kafka, self.mysql = Service("kafka"), Service("mysql")
        self.ingest = None
        self.unexplained = []
        self.stale_coordinators = 0
        self.operator = random.Random(seed)
        self.disks = all([i.mount() for i in self.instances])

    def say(self, *words):
        print(f"  {time.strftime('%H:%M:%S')} {time.monotonic() - self.begin:+8.1f}s", *words, flush=True)

    # --- the load ---------------------------------------------------------------------------------------------

    def start(self):
        self.app.run("ingest", "--source", "file:/dev/null", "--exit-at-end", log="topics")
        for instance in self.instances[:INSTANCES]:
            instance.start()
        for instance in self.instances[:INSTANCES]:
            instance.process.wait_for(r"INFO task running", 60)
        self.start_load()

    def start_load(self, seed=None):
        self.ingest = self.app.start("ingest", "--source", "simulate", "--rate", str(self.rate), "--seed",
                                     str(self.seed if seed is None else seed))

    def stop_load(self):
        self.ingest.stop(90)

    # --- the operator -----------------------------------------------------------------------------------------

    def look_after(self):
        """Starts again what has ended by itself, if it has said why; removes a state that it says is broken."""
        for instance in self.instances:
            if instance.process is None or instance.held or instance.running():
                continue
            if not instance.ended:  # an orchestrator waits before it starts something again
                instance.ended = time.monotonic()
            if time.monotonic() < instance.ended + RESTART_S:
                continue
            error, code = error_of(instance.process), instance.process.popen.returncode
            excuse = instance.excuse(error)
            self.say(f"instance {instance.name} has ended ({code}): {error}")
            if excuse is None or code != (-signal.SIGABRT if "Assertion" in error else 1):
                self.unexplained.append(f"{instance.name} ({code}): {error or 'no word'}, {instance.process.log}")
            if excuse == "state":
                instance.forget()
                self.say(f"operator: the state of instance {instance.name} is removed, and it starts again")
            if excuse == "positions" and not self.kafka.busy:
                self.restart_coordinator()
            instance.start()

    def restart_coordinator(self):
        """Kafka 4.3.1's group coordinator may serve what it had read of its log when it lost the lead for a moment amid
        its start. The log has it all, and is read again."""
        self.say("operator: the broker is restarted, whose group coordinator gives back positions of long ago")
        self.stale_coordinators += 1
        self.kafka.restart()

    def ends(self):
        """The input's partitions: where each ends."""
        # a broker that has just come back has no leaders yet
        return harness.wait_until("the ends of the posts' topic", 60, self.ask_ends, 1)

    def ask_ends(self):
        asked = [word for p in range(PARTITIONS) for word in ("-t", f"{self.app.topic}:{p}:-1")]
        try:
            text = self.case.kcat("-Q", *asked).decode()
        except harness.Failed:
            return None
        return {int(p): int(n) for p, n in re.findall(r"\[(\d+)\] offset (\d+)", text)}

    def behind(self, ends):
        """Partitions whose posts up to about there are not all in the table yet; all while the database is away."""
        try:
            text = self.app.query("SELECT place, MAX(upto) FROM city_windows GROUP BY place")
        except harness.Failed:
            return dict(ends)
        upto = dict.fromkeys(ends, 0)
        for line in text.splitlines():
            place, most = line.split("\t")
            partition = harness.recount.partition_of(place.encode(), PARTITIONS)
            upto[partition] = max(upto[partition], int(most))
        return {p: (upto[p], end) for p, end in ends.items() if upto[p] < end - LAST_POSTS}

    def wait_until_current(self, seconds):
        """What is posted by now is counted and in the table; says what is not."""
        ends, limit = self.ends(), time.monotonic() + seconds
        while left := self.behind(ends):
            self.look_after()
            check(time.monotonic() < limit, f"not up to date {seconds} s after the last fault: {left} (counted up to, end)")
            time.sleep(0.3)

    def counted(self):
        """How many posts stand in the table; None while the database is away."""
        try:
            return int(self.app.query("SELECT IFNULL(SUM(tweets), 0) FROM city_windows").strip() or 0)
        except harness.Failed:
            return None

    def end(self):
        for instance in self.instances:
            instance.signal(signal.SIGCONT)
        self.case.end()
        self.proxy.stop()
        for instance in self.instances:
            instance.unmount()
