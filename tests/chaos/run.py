#!/usr/bin/env python3
"""Chaos on a real cluster; started by tests/chaos.sh, which says how."""
import argparse
import collections
import os
import random
import shutil
import signal
import sys
import tempfile
import time
import traceback

sys.dont_write_bytecode = True
import cluster  # noqa: E402
import audit  # noqa: E402
import endings  # noqa: E402
import faults  # noqa: E402
from cluster import check, harness  # noqa: E402

AT_ONCE = 2      # faults
CALM_EVERY = 8   # faults, then all must go well again
CALM_S = 600     # within so many seconds, on a machine that others use, too


class Active:
    """A fault under way."""

    def __init__(self, kind, target, steps):
        self.kind, self.target, self.steps = kind, target, steps
        self.until, self.condition = 0, None

    def step(self, now):
        """Goes on when it is time; False when it is over."""
        if now < self.until and not (self.condition and self.condition()):
            return True
        wanted = next(self.steps, None)
        if wanted is None:
            return False
        self.condition, seconds = wanted if isinstance(wanted, tuple) else (None, wanted)
        self.until = now + seconds
        return True


class Chaos:
    """The faults, in the order that the seed gives; up to AT_ONCE of them together, on different targets."""

    def __init__(self, c, seed, kinds):
        self.c, self.random, self.kinds = c, random.Random(seed), kinds
        self.bag, self.active, self.counts = [], [], collections.Counter()
        self.planned = None
        self.next_at = 0
        self.since_calm = 0
        self.recoveries = []

    def plan(self):
        """(kind, target, its own random numbers): what comes next."""
        if not self.bag:
            self.bag = list(self.kinds)
            self.random.shuffle(self.bag)
        kind = self.bag.pop()
        number, seed = self.random.randrange(cluster.INSTANCES), self.random.random()
        where = faults.KINDS[kind][0]
        target = {"instance": self.c.instances[number], "extra": self.c.instances[-1], "kafka": self.c.kafka,
                  "mysql": self.c.mysql}[where]
        return kind, target, random.Random(seed)

    def begin(self, now):
        self.planned = self.planned or self.plan()
        kind, target, numbers = self.planned
        if target.busy or len(self.active) >= AT_ONCE or now < self.next_at or self.since_calm >= CALM_EVERY:
            return
        if isinstance(target, cluster.Instance) and target is not self.c.instances[-1] and not target.running():
            return  # somebody has to start it first
        self.planned = None
        target.busy = True
        self.counts[kind] += 1
        self.since_calm += 1
        self.next_at = now + self.random.uniform(0.5, 6)
        self.c.say(f"fault {sum(self.counts.values())}: {kind} {target.name}")
        self.active.append(Active(kind, target, faults.KINDS[kind][1](self.c, numbers, target)))

    def turn(self):
        now = time.monotonic()
        for fault in list(self.active):
            if not fault.step(now):
                self.over(fault)
        self.c.look_after()
        self.begin(now)
        if self.since_calm >= CALM_EVERY and not self.active:
            self.calm()

    def over(self, fault):
        self.active.remove(fault)
        fault.target.busy = False
        self.c.say(f"  over: {fault.kind} {fault.target.name}")

    def calm(self):
        """Nothing is wrong any more: the newest posts must be in the table soon."""
        begin = time.monotonic()
        self.c.wait_until_current(CALM_S)
        took = time.monotonic() - begin
        self.recoveries.append(took)
        self.c.say(f"calm: {self.c.counted()} posts are counted, up to date after {took:.1f} s")
        self.since_calm = 0

    def finish(self):
        """What is under way comes to its end."""
        end = time.monotonic() + 300
        while self.active:
            check(time.monotonic() < end, f"{[f.kind for f in self.active]} do not come to an end")
            for fault in list(self.active):
                if not fault.step(time.monotonic()):
                    self.over(fault)
            self.c.look_after()
            time.sleep(0.1)
        self.calm()


def run(c, options, kinds):
    chaos = Chaos(c, options.seed, kinds)
    c.start()
    end = time.monotonic() + options.minutes * 60
    c.say(f"{options.rate} posts a second, {options.minutes} minutes, seed {options.seed}")
    begin = time.monotonic()
    while time.monotonic() < end or min(chaos.counts[k] for k in kinds) < options.each:
        check(c.ingest.running(), f"ingest has ended, {c.ingest.log}")
        chaos.turn()
        time.sleep(0.1)
    chaos.finish()
    c.stop_load()
    seconds = time.monotonic() - begin
    c.say("faults:", ", ".join(f"{k} {chaos.counts[k]}" for k in kinds), f"- {sum(chaos.counts.values())} in all")
    c.say(f"up to date after {max(chaos.recoveries):.1f} s at most, {len(chaos.recoveries)} times")
    if c.stale_coordinators:
        c.say(f"old positions given back by the group coordinator, refused by weir: {c.stale_coordinators} times")
    audit.check_all(c, seconds)
    check(not c.unexplained, "instances ended without a good reason:\n    " + "\n    ".join(c.unexplained))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=5, help="of load and faults [5]")
    parser.add_argument("--seed", type=int, help="chooses the faults [by the time]")
    parser.add_argument("--rate", type=int, default=2000, help="posts a second [2000]")
    parser.add_argument("--each", type=int, default=1, help="each kind of fault at least so many times [1]")
    parser.add_argument("--kinds", help="only these, with commas between them: " + ", ".join(faults.KINDS))
    parser.add_argument("--evilnet", default=os.path.join(cluster.TESTS, "..", "build", "dev", "evilnet"))
    parser.add_argument("--logs", help="where logs, state and dumps go [a new directory in /tmp]")
    parser.add_argument("--no-endings", action="store_true", help="without topics that are deleted, at the end")
    options = parser.parse_args()
    if options.seed is None:
        options.seed = int(time.time()) % 100_000
    options.logs = options.logs or tempfile.mkdtemp(prefix="weir-chaos-")
    case = harness.Case("chaos", os.path.abspath(options.evilnet), options.logs)
    case.evilnet = shutil.copy(case.evilnet, case.path("evilnet"))  # whatever is built meanwhile
    c = cluster.Cluster(case, options.seed, options.rate)
    kinds = options.kinds.split(",") if options.kinds else list(faults.KINDS)
    if not c.disks and "full-disk" in kinds:
        kinds.remove("full-disk")
        c.say("no full disk: it wants root, who can mount one")
    failed = True
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        run(c, options, kinds)
        if not options.no_endings:
            endings.run(c)
        failed = False
        c.say("passed")
    except harness.Failed as e:
        c.say(f"FAILED: {e}")
    except Exception:  # pylint: disable=broad-except
        traceback.print_exc(file=sys.stdout)
    finally:
        c.end()
    if failed:
        print(f"chaos: FAILED with seed {options.seed}; logs: {case.dir}", flush=True)
        return 1
    case.remove()
    return 0


if __name__ == "__main__":
    sys.exit(main())
