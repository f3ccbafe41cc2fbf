"""Parts by themselves (bench-store, bench-kafka_port), and the start by parts (bench-start)."""

import os
import re
import time

import bench


def start(broker, runs):
    bench.say("start")
    broker.data("load", "w1-in", "city", 1, 5000000, 4)
    done = len(bench.read_results("start"))
    for n in range(done, 2 * runs):
        bench.Budget.check()
        cluster = ("embedded", "kafka")[n % 2]
        application = f"bench-start-{time.time_ns()}"
        said = bench.call([bench.BUILD / "bench-start", "embedded" if cluster == "embedded" else broker.bootstrap, "w1-in",
                           "-X", "application.id=" + application, "-X", f"state.dir={bench.DIR}/state/{application}"])
        if cluster == "kafka":
            broker.data("clean", application)
        bench.remove_state(application)
        bench.add_result("start", {"cluster": cluster, "commit": bench.commit(), **bench.parse(said)})


def runs_done(part):
    return sum(row["part"] == part for row in bench.read_results("parts"))


def port(broker, runs):
    env = {**os.environ, "WEIR_TEST_BOOTSTRAP": broker.bootstrap}
    bench.call([bench.BUILD / "bench-kafka_port", "load", "3000"], env=env)
    for _ in range(runs):
        for what in ("consume", "copy", "exact"):
            if runs_done("port:_" + what) >= runs:
                continue
            bench.Budget.check()
            bench.say("port: " + what)
            said = bench.call([bench.BUILD / "bench-kafka_port", what, "3000"], env=env)
            cost = re.search(r"cpu-s/M=([0-9.]+)", said)[1]
            bench.add_result("parts", {"part": "port:_" + what, "commit": bench.commit(), "cpu_per_M": cost})
    broker.data("drop", "bench-in", "bench-out")


def printed(name, last, runs, *command):
    """A program that prints what each of its parts costs; `last` is the part that it ends with. Its files go."""
    for _ in range(runs_done(f"{name}:_{last}"), runs):
        bench.Budget.check()
        bench.say(name)
        for line in bench.call(command).splitlines():
            found = re.match(r"(.*?) +(?:[0-9]+ ns wall +)?([0-9.]+) CPU-s per million", line)
            if found:
                bench.add_result("parts", {"part": f"{name}:_" + found[1].replace(" ", "_"),
                                           "commit": bench.commit(), "cpu_per_M": found[2]})
        bench.remove_state("parts")


def parts(broker, runs):
    printed("record_loop", "windowed_count_of_5k_keys", runs, bench.BUILD / "bench-record_loop")
    printed("store", "close_(of_a_million)", runs, bench.BUILD / "bench-store", bench.DIR / "state/parts")
    port(broker, runs)
