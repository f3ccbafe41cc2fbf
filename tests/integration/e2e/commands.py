"""Scenario: wrong usage, wrong configuration, nobody there: what is said, and the exit code."""
import re
import signal
import subprocess
import time

from harness import Failed, check, say

NOBODY = ("-b", "127.0.0.1:1")  # nothing listens there
ALL = ("demo", "ingest", "process", "serve", "run", "reprocess", "reset", "topology", "config")
OPTIONS = {"demo": ("rate", "seed"), "ingest": ("source", "rate", "seed", "speed", "exit-at-end"), "process": ("exit-at-end",),
           "run": ("exit-at-end",), "reprocess": ("since", "exit-at-end"), "reset": ("yes",), "topology": ("format",),
           "config": ("markdown",), "serve": ()}

# arguments, exit code, what standard error must say
WRONG = [
    ((), 2, "usage: evilnet COMMAND"),
    (("fly",), 2, 'there is no command "fly"'),
    (("process", "--fly"), 2, "evilnet: unrecognized option '--fly'"),
    (("process", "-Z"), 2, "invalid option -- 'Z'"),
    (("process", "-b"), 2, "requires an argument"),
    (("process", "--rate", "5"), 2, "process does not take --rate"),
    (("serve", "--exit-at-end"), 2, "serve does not take --exit-at-end"),
    (("process", "now"), 2, '"now" is not understood'),
    (("process", "-X", "evilnet.window"), 2, "-X wants KEY=VALUE"),
    (("process", "-X", "evilnet.widow=5m"), 2, 'unknown key "evilnet.widow"'),
    (("process", "-X", "evilnet.window=soon"), 2, "evilnet.window: wanted duration .*, got \"soon\""),
    (("process", "-X", "evilnet.window=1500ms"), 2, "evilnet.window must be whole seconds"),
    (("process", "-X", "evilnet.window=2d"), 2, "evilnet.window: wanted duration"),
    (("process", "-X", "evilnet.partitions=0"), 2, "evilnet.partitions: wanted whole number, 1 to 10000"),
    (("process", "-X", "evilnet.time.skew.max=6m"), 2, "evilnet.time.skew.max .* must not exceed evilnet.grace"),
    (("process", "-X", "evilnet.retention=10m"), 2, "evilnet.retention must be at least evilnet.window and evilnet.grace"),
    (("process", "-X", "log.level=loud"), 2, "log.level: wanted one of debug, info, warn, error"),
    (("process", "-X", "kafka.acks=1"), 2, "kafka.acks: cannot be set: records would be lost"),
    (("process", "-X", "kafka.group.id=x"), 2, "kafka.group.id: cannot be set"),
    (("process", "-X", "kafka.nosuch=1"), 2, 'kafka.nosuch: No such configuration property'),
    (("process", "-c", "/nowhere/at/all"), 2, "open /nowhere/at/all: No such file"),
    (("serve",), 2, "set evilnet.mysql.host or evilnet.mysql.socket"),
    (("reprocess",), 2, "reprocess replaces rows in MySQL: set evilnet.mysql.host"),
    (("reprocess", "-X", "evilnet.mysql.host=x", "-X", "evilnet.rekey=true"), 2, "reprocess does not work with evilnet.rekey"),
    (("reprocess", "--since", "yesterday"), 2, "evilnet.reprocess.since: wanted duration"),
    (("topology", "--format", "xml"), 2, "--format is text, dot, mermaid or json"),
    (("ingest",), 2, r"evilnet.source \(--source\) is not set"),
    (("ingest", "--source", "radio"), 2, 'x, file:PATH, - or simulate is wanted, got "radio"'),
    (("ingest", "--source", "simulate", "--exit-at-end"), 2, "source simulate has no end"),
    (("ingest", "--source", "x"), 2, "EVILNET_BEARER_TOKEN"),
    (("ingest", "--source", "file:/nowhere/at/all"), 1, "open /nowhere/at/all: No such file"),
    (("ingest", "--source", "file:/dev/null", "--speed", "fast"), 2, 'a number above 0 is wanted, got "fast"'),
]


def run(case, arguments, seconds=20, **env):
    try:
        done = subprocess.run([case.evilnet, *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, timeout=seconds,
                              stderr=subprocess.PIPE, env={**case.env, **env}, cwd=case.dir, check=False)
    except subprocess.TimeoutExpired:
        raise Failed(f"evilnet {' '.join(arguments)} has not ended within {seconds} s") from None
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def wrong_usage(case):
    for arguments, code, wanted in WRONG:
        got, out, err = run(case, [*arguments[:1], *NOBODY, *arguments[1:]] if len(arguments) else [])
        check(got == code and re.search(wanted, err) and not out,
              f"evilnet {' '.join(arguments)}: wanted {code} and \"{wanted}\", got {got}, \"{err.strip()}\", output \"{out}\"")
    say(f"{len(WRONG)} wrong uses: code and message are right")


def help_texts(case):
    for words in (("--help",), ("-h",), ("help",)):
        code, out, err = run(case, words)
        check(code == 0 and not err and all(re.search(rf"^  {c} ", out, re.M) for c in ALL), f"evilnet {words[0]}: {code}, {out}{err}")
    code, out, err = run(case, ["--version"])
    check(code == 0 and not err and re.fullmatch(r"evilnet \d+\.\d+\.\d+\n", out), f"evilnet --version: {code}, {out}{err}")
    for command in ALL:
        code, out, err = run(case, [command, "--help"])
        check(code == 0 and not err and out.startswith(f"usage: evilnet {command} "), f"{command} --help: {code}, {out}{err}")
        shown = set(re.findall(r"--([a-z-]+)", out)) - {"bootstrap-servers", "config-file", "set", "help"}
        check(shown == set(OPTIONS[command]), f"{command} --help shows {sorted(shown)}, wanted {sorted(OPTIONS[command])}")
    say("--version, and --help of each command")


def settings(case):
    """default, file, environment, command line: later wins; and secrets are not shown."""
    path = case.path("evilnet.conf")
    with open(path, "w", encoding="utf-8") as f:
        f.write("# a comment\nevilnet.window = 5m\nevilnet.grace = 2m\nevilnet.retention = 6h\n")
    code, out, err = run(case, ["config", "-c", path, "-X", "evilnet.retention=7h"], WEIR_EVILNET_GRACE="3m", WEIR_EVILNET_RETENTION="8h",
                         EVILNET_BEARER_TOKEN="very-secret", EVILNET_MYSQL_PASSWORD="very-secret")
    check(code == 0 and not err, f"config: {code}, {err}")
    for line in (r"evilnet\.window\b.*\b5m\b.*evilnet\.conf", r"evilnet\.grace\b.*\b3m\b.*WEIR_EVILNET_GRACE",
                 r"evilnet\.retention\b.*\b7h\b", r"evilnet\.partitions\b.*\b6\b"):
        check(re.search(line, out), f"config: no line like \"{line}\" in\n{out}")
    check("very-secret" not in out, "config shows a secret")
    for words, wanted in ((("--format", "text"), "accepted"), (("--format", "dot"), "digraph"), (("--format", "mermaid"), "(graph|flowchart)"),
                          (("--format", "json"), r'^\{.*"accepted"')):
        code, out, err = run(case, ["topology", *words])
        check(code == 0 and re.search(wanted, out) and not err, f"topology {words[1]}: {code}, {out}{err}")
    with open(path, "a", encoding="utf-8") as f:
        f.write("evilnet.nothing = 1\n")
    code, out, err = run(case, ["config", "-c", path])
    check(code == 2 and "evilnet.conf:5" in err and "evilnet.nothing" in err, f"a wrong line in a file: {code}, {err}")
    say("configuration: later wins, the place of a mistake is named, secrets are not shown; topology in four formats")


def nobody_there(case):
    """The broker is not there: everybody says so within a minute, and ends at once when told to."""
    commands = {"process": ["process"], "run": ["run"], "ingest": ["ingest", "--source", "simulate"], "reset": ["reset", "--yes"],
                "reprocess": ["reprocess", "-X", "evilnet.mysql.socket=/nowhere"]}
    patient, told = {}, {}
    for name, words in commands.items():
        full = [case.evilnet, *words, *NOBODY, "-X", f"state.dir={case.path(name)}", "-X", "web.port=0"]
        patient[name] = case.spawn(f"{name}-patient", full)
        told[name] = case.spawn(f"{name}-told", full)
    time.sleep(2)
    for number, (name, process) in enumerate(told.items()):
        check(process.running(), f"{name} has ended at once\n{process.text()}")
        how = (signal.SIGINT, signal.SIGTERM)[number % 2]
        begin = time.monotonic()
        process.signal(how)
        process.popen.wait(10)
        took = time.monotonic() - begin
        check(took < 1, f"{name} took {took:.1f} s to end after {how.name} while it waited for the broker")
        check(process.popen.returncode in (0, 128 + how), f"{name} ends with {process.popen.returncode} after {how.name}")
    say("without a broker: all end at once after SIGINT, SIGTERM")
    for name, process in patient.items():
        process.wait(60, 1)
        check(re.search(r"^evilnet: .*bootstrap\.servers is 127\.0\.0\.1:1", process.text(), re.M),
              f"{name} says: {process.text()}")
    say("without a broker: all give up with its address in the message, exit code 1")


def commands(case):
    """Wrong usage, wrong configuration, no broker: exit codes and messages"""
    wrong_usage(case)
    help_texts(case)
    settings(case)
    nobody_there(case)


SCENARIOS = {"commands": commands}
