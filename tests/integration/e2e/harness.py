"""What the scenarios share: processes, topics, rows, and the comparison with the recount."""
import collections
import os
import re
import secrets
import shlex
import shutil
import signal
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
INTEGRATION = os.path.dirname(HERE)
TESTS = os.path.dirname(INTEGRATION)
sys.path.insert(0, INTEGRATION)
sys.dont_write_bytecode = True
import recount  # noqa: E402  (the judge, written apart from weir)

DUMP_FORMAT = "%p %o %T %K %S %h\\n%k%s\\n"
WINDOW_MS = 900_000
SHOWN = 10  # differences that a failure tells


class Failed(Exception):
    pass


class Skipped(Exception):
    pass


def need(name):
    value = os.environ.get(name)
    if not value:
        raise Skipped(f"{name} is not set (tests/services.sh start)")
    return value


def say(*words):
    print(f"  {time.strftime('%H:%M:%S')}", *words, flush=True)


def check(condition, message):
    if not condition:
        raise Failed(message)


def wait_until(what, seconds, condition, every=0.1):
    """The first true value of condition(); it is an error if none comes."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise Failed(f"{what}: not within {seconds} s")
        time.sleep(every)


def tail(path, lines=15):
    with open(path, encoding="utf-8", errors="replace") as f:
        return "".join(f"    | {line}" for line in f.readlines()[-lines:])


class Process:
    """A running evilnet; what it prints goes to <name>.log."""

    def __init__(self, name, arguments, log, env, stdin=subprocess.DEVNULL):
        self.name, self.log = name, log
        with open(log, "wb") as out:
            out.write(f"$ {shlex.join(arguments)}\n".encode())
            out.flush()
            self.popen = subprocess.Popen(arguments, stdin=stdin, stdout=out, stderr=out, env=env)

    def running(self):
        return self.popen.poll() is None

    def signal(self, number):
        if self.running():
            self.popen.send_signal(number)

    def kill(self):
        """As a crash: no word to anybody."""
        check(self.running(), f"{self.name} ended by itself ({self.popen.returncode}), {self.log}\n{tail(self.log)}")
        self.popen.kill()
        self.popen.wait()

    def wait(self, seconds, code=0):
        try:
            got = self.popen.wait(seconds)
        except subprocess.TimeoutExpired:
            raise Failed(f"{self.name} has not ended within {seconds} s, {self.log}\n{tail(self.log)}") from None
        check(got == code, f"{self.name}: exit code {got}, wanted {code}, {self.log}\n{tail(self.log)}")

    def stop(self, seconds=30):
        """Politely; how long that took."""
        check(self.running(), f"{self.name} ended by itself ({self.popen.returncode}), {self.log}\n{tail(self.log)}")
        begin = time.monotonic()
        self.popen.send_signal(signal.SIGTERM)
        self.wait(seconds)
        return time.monotonic() - begin

    def text(self):
        with open(self.log, encoding="utf-8", errors="replace") as f:
            return f.read()

    def wait_for(self, pattern, seconds, times=1):
        """Until its log has so many lines that match."""
        def seen():
            check(self.running() or len(re.findall(pattern, self.text())) >= times,
                  f"{self.name} has ended, without \"{pattern}\"\n{tail(self.log)}")
            return len(re.findall(pattern, self.text())) >= times
        wait_until(f"{self.name}: \"{pattern}\" in {self.log}", seconds, seen)


class Application:
    """One application.id with its own results, dead letters and database; the posts' topic may be shared."""

    def __init__(self, case, name, posts=None, options=()):
        self.case, self.name = case, name
        self.id = f"e2e-{case.token}-{name}"
        self.topic = posts or f"{self.id}.posts"
        self.metrics, self.dead_letters = f"{self.id}.metrics", f"{self.id}.dead-letters"
        self.database = f"e2e_{case.token}_{name}".replace("-", "_")
        self.options = {
            "application.id": self.id,
            "evilnet.topic": self.topic,
            "evilnet.metrics.topic": self.metrics,
            "evilnet.dead.letters.topic": self.dead_letters,
            "evilnet.mysql.socket": need("WEIR_TEST_MYSQL_SOCKET"),
            "evilnet.mysql.user": "root",
            "evilnet.mysql.database": self.database,
            "session.timeout.ms": "6000",
        }
        self.options.update(options)

    def arguments(self, command, *words, instance="1", **keys):
        """keys: underscores are dots."""
        options = dict(self.options)
        options["state.dir"] = self.state_dir(instance)
        options.update((k.replace("_", "."), str(v)) for k, v in keys.items())
        arguments = [self.case.evilnet, command, "-b", need("WEIR_TEST_BOOTSTRAP")]
        for key, value in options.items():
            arguments += ["-X", f"{key}={value}"]
        return arguments + list(words)

    def state_dir(self, instance="1"):
        return os.path.join(self.case.dir, f"state-{self.name}-{instance}")

    def run(self, command, *words, seconds=120, code=0, **keys):
        """To its end; what it printed."""
        process = self.start(command, *words, **keys)
        process.wait(seconds, code)
        return process.text()

    def start(self, command, *words, stdin=subprocess.DEVNULL, instance="1", log=None, **keys):
        name = log or f"{self.name}-{command}-{instance}"
        return self.case.spawn(name, self.arguments(command, *words, instance=instance, **keys), stdin)

    # --- what there is ----------------------------------------------------------------------------------------

    def query(self, sql, database=None):
        return self.case.query(sql, database or self.database)

    def rows(self, where="1"):
        """(place, window_start, window_seconds): (tweets, retweets, users, upto)"""
        text = self.query("SELECT place, window_start, window_seconds, tweets, retweets, users, upto FROM city_windows "
                          f"WHERE {where}")
        rows = {}
        for line in text.split("\n"):
            if not line:
                continue
            place, start, seconds, *counts = line.split("\t")
            rows[place, start, int(seconds)] = tuple(int(c) for c in counts)
        return rows

    def recount(self, topic=None, before=(), **options):
        """before: dumps from when the topic still held more."""
        return Recounted([*before, self.case.dump(topic or self.topic, f"{self.name}-posts")], **options)

    def read_dead_letters(self):
        return [DeadLetter(*record) for record in self.case.records(self.dead_letters, f"{self.name}-dead")]

    # --- what there must be -----------------------------------------------------------------------------------

    def differences(self, expected):
        try:
            rows = self.rows()
        except Failed as e:  # the database is away, or there is no table yet
            return [str(e)]
        found = []
        for key in sorted(expected.keys() | rows.keys()):
            want, got = expected.get(key), rows.get(key)
            if want != got:
                found.append(f"{' | '.join(map(str, key))}: wanted {want}, got {got} (tweets, retweets, users, upto)")
        return found

    def check_rows(self, expected, what="rows"):
        found = self.differences(expected)
        if found:
            path = os.path.join(self.case.dir, f"{self.name}-differences")
            with open(path, "w", encoding="utf-8") as f:
                f.write("\n".join(found) + "\n")
            shown = "\n    ".join(found[:SHOWN])
            raise Failed(f"{what}: {len(found)} of {len(expected)} differ (all: {path}):\n    {shown}")
        say(f"{what}: {len(expected)} equal the recount to the row")

    def wait_for_rows(self, expected, seconds, processes=(), what="rows"):
        """Until they are equal, while the processes live."""
        end = time.monotonic() + seconds
        while self.differences(expected):
            for p in processes:
                check(p.running(), f"{p.name} has ended ({p.popen.returncode})\n{tail(p.log)}")
            if time.monotonic() > end:
                break
            time.sleep(0.25)
        self.check_rows(expected, what)

    def check_dead_letters(self, counted, from_ingest=None, from_sink=()):
        """Of each record that is not counted exactly one, with its reason; from ingest so many of each kind, from the
        sink these reasons. Those behind the open transaction of an instance that was killed show when the broker has
        ended it."""
        want, begin = collections.Counter(counted.dead), time.monotonic()
        while True:
            letters = self.read_dead_letters()
            got = collections.Counter((d.partition, d.offset, d.kind) for d in letters
                                      if d.topic not in (None, self.metrics))
            if not want - got or time.monotonic() > begin + 30:
                break
            time.sleep(1)
        wrong = [f"{k}: wanted {want[k]}, got {got[k]}" for k in sorted(want.keys() | got.keys()) if want[k] != got[k]]
        check(not wrong, f"dead letters: {len(wrong)} differ:\n    " + "\n    ".join(wrong[:SHOWN]))
        say("dead letters of the topology:", dict(collections.Counter(kind for _, _, kind in want)) or "none")
        refused = sorted(d.kind for d in letters if d.topic == self.metrics)
        check(refused == sorted(from_sink), f"dead letters of the sink: wanted {from_sink}, got {refused}")
        if from_ingest is not None:
            theirs = collections.Counter(d.kind for d in letters if not d.topic)
            check(theirs == +from_ingest, f"dead letters of ingest: wanted {dict(from_ingest)}, got {dict(theirs)}")
            say("dead letters of ingest:", dict(theirs) or "none")


class DeadLetter:
    """topic, partition, offset: of the record it stands for; None for one of ingest."""

    KINDS = (("late", "late"), ("from the future", "future"), ("key is not the place", "key"),
             ("unreadable:", "unreadable"), ("null value", "unreadable"), ("result refused", "refused"))

    def __init__(self, partition, offset, headers, key, value):
        text = headers.decode("utf-8", "replace")
        self.key, self.value, self.headers = key, value, text
        self.reason = self.header(text, "reason", "original-timestamp|source")
        self.topic = self.header(text, "__streams.errors.topic")
        if self.topic:
            self.partition = int(self.header(text, "__streams.errors.partition"))
            self.offset = int(self.header(text, "__streams.errors.offset"))
            self.kind = next((kind for begin, kind in self.KINDS if self.reason.startswith(begin)), self.reason)
        else:
            self.kind = "refused" if re.match("dated .* ahead", self.reason) else "unreadable"

    @staticmethod
    def header(text, name, followed_by=r"[\w.-]+"):
        """kcat does not quote: a value ends where the next header begins."""
        found = re.search(rf"(?:^|,){re.escape(name)}=(.*?)(?:,(?:{followed_by})=|$)", text, re.DOTALL)
        return found[1] if found else None


class Recounted:
    """What must stand in city_windows, and which records must be dead letters, for a dump of the posts."""

    def __init__(self, dumps, window_ms=WINDOW_MS, grace_ms=300_000, skew_ms=60_000):
        count = recount.Recount(window_ms, grace_ms, skew_ms, 0)
        self.dead = []  # (partition, offset, kind)
        self.counted = []  # (partition, offset, headers, place, window start)
        seen = {}
        for dump in dumps:
            for partition, offset, headers, key, value in self.records(dump):
                if offset <= seen.get(partition, -1):
                    continue  # an older dump had it
                seen[partition] = offset
                fate = count.judge(partition, offset, headers, key, value)
                count.fates[fate] += 1
                count.fates["records"] += 1
                if fate == "counted":
                    created = recount.read_post(value)[2]
                    self.counted.append((partition, offset, headers, key, created - created % window_ms))
                elif fate != "repeated":
                    self.dead.append((partition, offset, fate))
        self.fates = count.fates
        self.rows = {(place, start, seconds): tuple(counts)
                     for place, start, seconds, *counts in count.lines(-1 << 63)}

    @staticmethod
    def records(dump):
        with open(dump, "rb") as stream:
            yield from recount.read_dump(stream)


class Case:
    """One scenario's run: a directory for its logs and state, names of its own, and what it has started."""

    def __init__(self, name, evilnet, logs):
        self.name = name
        self.token = f"{name.replace('_', '-')}-{secrets.token_hex(3)}"
        self.evilnet = evilnet
        self.dir = os.path.join(logs, self.token)
        self.processes, self.applications = [], []
        self.env = {k: v for k, v in os.environ.items() if not k.startswith(("WEIR_", "EVILNET_"))}
        os.makedirs(self.dir)

    def application(self, name="a", posts=None, **options):
        app = Application(self, name, posts, {k.replace("_", "."): v for k, v in options.items()})
        self.applications.append(app)
        return app

    def spawn(self, name, arguments, stdin=subprocess.DEVNULL):
        before = sum(p.name == name for p in self.processes)
        log = self.path(f"{name}-{before + 1}.log" if before else f"{name}.log")
        process = Process(name, arguments, log, self.env, stdin)
        self.processes.append(process)
        return process

    def end(self):
        for process in self.processes:
            if process.running():
                process.popen.kill()
                process.popen.wait()

    def tidy(self):
        """What a scenario leaves behind would only slow down the services of those that follow."""
        for app in self.applications:
            if any(t.startswith(app.id) for t in self.topics()):
                wait_until(f"reset of {app.id}", 20, lambda: self.reset(app), 1)  # a killed member counts for a while
            self.query(f"DROP DATABASE IF EXISTS `{app.database}`")
        self.remove()

    def remove(self):
        shutil.rmtree(self.dir, ignore_errors=True)

    @staticmethod
    def reset(app):
        process = app.start("reset", "--yes", log="tidy")
        process.popen.wait(60)
        return process.popen.returncode == 0

    def path(self, name):
        return os.path.join(self.dir, name)

    def posts(self, name, *options):
        """A file of made posts."""
        path = self.path(name)
        subprocess.run([sys.executable, os.path.join(INTEGRATION, "make_posts.py"), "--out", path, *map(str, options)],
                       check=True)
        return path

    # --- Kafka ------------------------------------------------------------------------------------------------

    def kcat(self, *arguments, stdin=None, seconds=120):
        done = subprocess.run(["kcat", "-b", need("WEIR_TEST_BOOTSTRAP"), *arguments], input=stdin, timeout=seconds,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
        check(done.returncode == 0, f"kcat {shlex.join(arguments)}: {done.stderr.decode('utf-8', 'replace')}")
        return done.stdout

    def dump(self, topic, name):
        path = self.path(f"{name}.dump")
        with open(path, "wb") as out:
            # what is deleted after kcat has asked for the beginning must not make it skip the rest
            done = subprocess.run(["kcat", "-b", need("WEIR_TEST_BOOTSTRAP"), "-C", "-t", topic, "-e", "-q", "-o", "beginning",
                                   "-X", "topic.auto.offset.reset=earliest", "-X", "isolation.level=read_committed",
                                   "-f", DUMP_FORMAT],
                                  stdout=out, stderr=subprocess.PIPE, timeout=600, check=False)
        check(done.returncode == 0, f"kcat -C -t {topic}: {done.stderr.decode('utf-8', 'replace')}")
        return path

    def records(self, topic, name):
        """(partition, offset, headers as kcat shows them, key, value) of each, as committed."""
        with open(self.dump(topic, name), "rb") as stream:
            while True:
                line = stream.readline()
                if not line:
                    return
                partition, offset, _, key_len, value_len, *headers = line.rstrip(b"\n").split(b" ", 5)
                key_len, value_len = int(key_len), int(value_len)
                body = stream.read(max(key_len, 0) + max(value_len, 0) + 1)
                check(body.endswith(b"\n"), f"dump of {topic}: record {partition}:{offset} is cut")
                yield (int(partition), int(offset), headers[0] if headers else b"",
                       body[:key_len] if key_len >= 0 else None, body[max(key_len, 0):-1] if value_len >= 0 else None)

    def topics(self):
        text = self.kcat("-L").decode()
        return set(re.findall(r'topic "([^"]+)" with', text))

    # --- MySQL ------------------------------------------------------------------------------------------------

    def query(self, sql, database=None):
        done = subprocess.run(["mariadb", "--no-defaults", f"--socket={need('WEIR_TEST_MYSQL_SOCKET')}", "--user=root",
                               "--default-character-set=utf8mb4", "-BN", "-e", sql, *([database] if database else [])],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
        check(done.returncode == 0, f"mariadb: {done.stderr.decode('utf-8', 'replace').strip()}")
        return done.stdout.decode("utf-8")

    # --- services ---------------------------------------------------------------------------------------------

    def services(self, command, service):
        """kill, start, ... of kafka or mysql; only where tests/services.sh runs them."""
        need("WEIR_TEST_DIR")
        done = subprocess.run([os.path.join(TESTS, "services.sh"), command, service], stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, check=False, timeout=180)
        check(done.returncode == 0, f"services.sh {command} {service}: {done.stdout.decode()}")
        say(f"{service}: {command}")

    def must_own(self, service):
        need("WEIR_TEST_DIR")
        done = subprocess.run([os.path.join(TESTS, "services.sh"), "status", service], stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL, check=False)
        if done.returncode:
            raise Skipped(f"{service} was not started by tests/services.sh: it cannot be killed")
