"""The workloads W1 to W7: weir, and Kafka Streams right after on the same data."""

import time

import bench

# topic: kind of records (bench/common/generate.h), seed, records
INPUTS = {
    "w1-in": ("city", 1, 5000000),
    "w3-in": ("user", 3, 5000000),
    "w6-left": ("k", 61, 1000000),
    "w6-right": ("k", 62, 1000000),
    "w7-in": ("city", 7, 2000000),
}
TOPICS = {"W1": ["w1-in"], "W2": ["w1-in"], "W3": ["w3-in"], "W4": ["w3-in"], "W5": ["w1-in"],
          "W6": ["w6-left", "w6-right"], "W7": ["w7-in"]}
# What comes out at the end whoever computes it: digest of bench-data. W2 as W1.
DIGESTS = {"W1": "c67f60939fd9a4a6", "W2": "c67f60939fd9a4a6", "W3": "f890a5768e687951", "W5": "957d4a06b8d9cfcd",
           "W6": "ff094597a02241f5", "W7": "2d5979f7f937ab37"}
SYSTEMS = ("weir", "kafka-streams")
LEFT = bench.DIR / "w3.application"  # whose changelog W4 restores


def load(broker, w):
    for topic in TOPICS[w]:
        kind, seed, records = INPUTS[topic]
        bench.say(f"topic {topic}")
        broker.data("load", topic, kind, seed, records, 4)


def command(system, w, broker, application, out):
    if system == "weir":
        program = [bench.BUILD / "bench-streams", w]
    else:
        program = bench.java("Streams", w)
    return [*program, broker.bootstrap, "--out", out, "-X", "application.id=" + application,
            "-X", f"state.dir={bench.DIR}/state/{application}"]


def forget_left(broker):
    if LEFT.exists():
        broker.data("clean", LEFT.read_text())
        bench.remove_state(LEFT.read_text())
        LEFT.unlink()


def left_application(broker):
    """The application of a Kafka Streams run of W3 whose changelog is there; one is run if need be."""
    if not LEFT.exists():
        run(broker, "W3", "kafka-streams")
    return LEFT.read_text()


def run(broker, w, system):
    """One run. The topic that it writes is its own, and is gone afterwards."""
    load(broker, w)
    if w == "W4":
        application = left_application(broker)
        bench.remove_state(application)
    else:
        application = f"bench-{w}-{system}-{time.time_ns()}"
    out = application + ".out"
    broker.data("create", out, 4)
    bench.say(f"{w} {system}")
    fields = bench.measure(command(system, w, broker, application, out), broker, f"{w}-{system}")
    fields.pop("w", None)
    if w != "W4":
        fields.update((k, v) for k, v in bench.parse(broker.data("digest", out)).items() if k != "topic")
        if fields["digest"] != DIGESTS[w]:
            bench.fail(f"{w} {system}: digest {fields['digest']}, wanted {DIGESTS[w]}")
    broker.data("drop", out)
    if w == "W3" and system == "kafka-streams":
        forget_left(broker)
        LEFT.write_text(application)
    elif w != "W4":
        broker.data("clean", application)
    bench.remove_state(application)
    return {"w": w, "system": system, "commit": bench.commit(), **fields}


def ratio(weir, streams):
    return f"{float(streams['cpu_per_M']) / float(weir['cpu_per_M']):.1f}"


def one(broker, w, versus, runs):
    """`run.sh W1`: to standard output."""
    for _ in range(runs):
        fields = {}
        for system in SYSTEMS if versus else SYSTEMS[:1]:
            fields[system] = run(broker, w, system)
            print(bench.text(fields[system]), flush=True)
        if versus:
            print(f"w={w} ratio={ratio(fields['weir'], fields['kafka-streams'])}", flush=True)


def all_of_them(broker, runs):
    """`run.sh all`: what is missing in bench/results/workloads.txt."""
    for n in range(1, runs + 1):
        for w in TOPICS:
            for system in SYSTEMS:
                done = sum(f["w"] == w and f["system"] == system for f in bench.read_results("workloads"))
                if done >= n:
                    continue
                bench.Budget.check()
                bench.say(f"run {n} of {runs}")
                bench.add_result("workloads", run(broker, w, system))
