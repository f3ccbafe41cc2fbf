"""What all measurements share: the broker, the programs, running one and reading what it cost."""

import os
import resource
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DIR = Path(os.environ.get("WEIR_BENCH_DIR", "/tmp/weir-bench"))
BUILD = Path(os.environ.get("WEIR_BENCH_BUILD", ROOT / "build/release"))
RESULTS = ROOT / "bench/results"
JAVA = ROOT / "build/kafka-streams"
TICKS = os.sysconf("SC_CLK_TCK")


def say(text):
    print("bench: " + text, file=sys.stderr, flush=True)


def fail(text):
    say(text)
    sys.exit(1)


def call(command, **options):
    """Runs it; when it fails, what it said is shown and all ends."""
    done = subprocess.run(command, capture_output=True, text=True, **options)
    if done.returncode:
        sys.stderr.write(done.stdout[-4000:] + done.stderr[-4000:])
        fail("failed: " + " ".join(map(str, command)))
    return done.stdout


class Budget:
    """Time for measurements that go on where they were: no new one is begun once it is used up."""

    ends = None

    @classmethod
    def spend(cls, seconds):
        cls.ends = time.monotonic() + seconds

    @classmethod
    def check(cls):
        if cls.ends is not None and time.monotonic() >= cls.ends:
            say("the time given is used up; more is to be measured")
            sys.exit(3)


# --- lines of key=value -----------------------------------------------------------------------------------------


def parse(line):
    return dict(pair.split("=", 1) for pair in line.split() if "=" in pair)


def text(fields):
    return " ".join(f"{k}={v}" for k, v in fields.items())


def read_results(name):
    path = RESULTS / (name + ".txt")
    return [parse(line) for line in path.read_text().splitlines() if line] if path.exists() else []


def add_result(name, fields):
    RESULTS.mkdir(exist_ok=True)
    with open(RESULTS / (name + ".txt"), "a") as file:
        file.write(text(fields) + "\n")
    print(text(fields), flush=True)


def begin_anew(name):
    (RESULTS / (name + ".txt")).unlink(missing_ok=True)


# --- the programs -----------------------------------------------------------------------------------------------


def build():
    """weir's programs, optimised."""
    if not (BUILD / "build.ninja").exists():
        say("configuring " + str(BUILD))
        call(["cmake", "--preset", "release", "-B", BUILD], cwd=ROOT)
    targets = sorted("bench-" + source.stem for source in (ROOT / "bench").glob("*.c"))
    call(["cmake", "--build", BUILD, "-j", str(os.cpu_count()), "--target", *targets], cwd=ROOT)


def build_java():
    """Kafka Streams' twin, when its sources are newer than what is built."""
    done = JAVA / "built"
    sources = [path for path in (ROOT / "bench/kafka-streams").rglob("*") if path.is_file()]
    if done.exists() and all(path.stat().st_mtime < done.stat().st_mtime for path in sources):
        return
    say("building Kafka Streams' twin")
    call(["mvn", "-q", "-B", "-f", ROOT / "bench/kafka-streams/pom.xml", "compile", "dependency:copy-dependencies",
          "-DincludeScope=runtime", f"-DoutputDirectory={JAVA}/lib"])
    done.touch()


def java(name, *arguments):
    options = os.environ.get("WEIR_BENCH_JAVA_OPTIONS", "-Xmx1g").split()
    return ["java", *options, "-cp", f"{JAVA}/classes:{JAVA}/lib/*", "bench." + name, *arguments]


def environment(variables):
    """jemalloc in place of glibc's allocator, if wanted (WEIR_BENCH_PRELOAD=libjemalloc.so.2)."""
    preload = os.environ.get("WEIR_BENCH_PRELOAD")
    return {**os.environ, **variables, **({"LD_PRELOAD": preload} if preload else {})}


# --- the broker -------------------------------------------------------------------------------------------------


class Broker:
    """One that the environment names, or our own; that one stays for the next run."""

    def __init__(self):
        self.bootstrap = os.environ.get("WEIR_BENCH_BOOTSTRAP")
        self.pid = None
        if not self.bootstrap:
            self.start()

    @staticmethod
    def services(*arguments):
        properties = "log.retention.ms=-1 log.message.timestamp.after.max.ms=9223372036854775807"
        given = {"WEIR_TEST_DIR": str(DIR), "WEIR_TEST_KAFKA_HEAP": "1g", "WEIR_TEST_KAFKA_PROPERTIES": properties,
                 "WEIR_TEST_KAFKA_PORT": os.environ.get("WEIR_BENCH_KAFKA_PORT", "19292")}
        return call([ROOT / "tests/services.sh", *arguments], env={**os.environ, **given})

    def start(self):
        self.services("start", "kafka")
        self.bootstrap = "127.0.0.1:" + os.environ.get("WEIR_BENCH_KAFKA_PORT", "19292")
        self.pid = int((DIR / "kafka/pid").read_text())

    def cpu(self):
        """CPU-seconds so far; not known of a broker elsewhere."""
        return process_cpu(self.pid) if self.pid else 0.0

    def data(self, *arguments):
        return call([BUILD / "bench-data", self.bootstrap, *map(str, arguments)])


def process_cpu(pid):
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def machine_cpu():
    fields = list(map(int, Path("/proc/stat").read_text().split("\n")[0].split()[1:9]))
    return (fields[0] + fields[1] + fields[2] + fields[5] + fields[6]) / TICKS


# --- one run ----------------------------------------------------------------------------------------------------


class Process:
    """A program under measurement. What it costs is what the kernel says when it ends."""

    def __init__(self, command, log, **variables):
        DIR.mkdir(parents=True, exist_ok=True)
        self.log = DIR / (log + ".log")
        self.started = time.time()
        with open(self.log, "w") as errors:
            self.child = subprocess.Popen([str(part) for part in command], stdin=subprocess.PIPE,
                                          stdout=subprocess.PIPE, stderr=errors, text=True, env=environment(variables))

    def await_line(self, wanted):
        for line in self.child.stdout:
            if line.strip() == wanted:
                return
        self.end()

    def await_death(self):
        """By another's hand."""
        self.child.wait()
        self.child.stdin.close()
        self.child.stdout.close()

    def end(self):
        """Its standard input ends, and it does. The fields of its last line, and its cost."""
        try:
            self.child.stdin.close()
        except BrokenPipeError:
            pass
        output = self.child.stdout.read()
        _, status, usage = os.wait4(self.child.pid, 0)
        self.child.returncode = os.waitstatus_to_exitcode(status)
        if self.child.returncode:
            sys.stderr.write(output + self.log.read_text()[-3000:])
            fail(f"ended with {self.child.returncode}: " + " ".join(self.child.args))
        fields = parse(output.strip().split("\n")[-1])
        fields["cpu_s"] = f"{usage.ru_utime + usage.ru_stime:.2f}"
        fields["rss_mb"] = str(usage.ru_maxrss // 1024)
        if "first_epoch_ms" in fields:
            fields["start_s"] = f"{int(fields.pop('first_epoch_ms')) / 1000 - self.started:.3f}"
        return fields


def measure(command, broker, log):
    """Fields of one run to its end, with what broker and others used meanwhile."""
    before_broker, before_all = broker.cpu(), machine_cpu()
    before_self = sum(resource.getrusage(resource.RUSAGE_SELF)[:2])
    fields = Process(command, log).end()
    broker_cpu, all_cpu = broker.cpu() - before_broker, machine_cpu() - before_all
    own_cpu = sum(resource.getrusage(resource.RUSAGE_SELF)[:2]) - before_self
    cpu = float(fields["cpu_s"])
    fields["cpu_per_M"] = f"{cpu / (float(fields['n']) / 1e6):.3f}"
    fields["broker_cpu_s"] = f"{broker_cpu:.2f}"
    fields["other_cpu_s"] = f"{max(0, all_cpu - broker_cpu - own_cpu - cpu):.2f}"
    return fields


def commit():
    done = subprocess.run(["git", "-C", ROOT, "rev-parse", "--short", "HEAD"], capture_output=True, text=True)
    return done.stdout.strip() or "unknown"


def remove_state(application):
    shutil.rmtree(DIR / "state" / application, ignore_errors=True)
