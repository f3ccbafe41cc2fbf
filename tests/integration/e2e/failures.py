"""Scenarios: whatever is killed under load, no post is lost or counted twice, and nobody has to help."""
import os
import random
import re
import signal
import time

import harness
from harness import check, say

AWAY_S = 20
CHECKPOINTS = {"checkpoint_interval_ms": 1000, "checkpoint_records": 1000}  # far more often than one would


class Load:
    """Posts that keep coming for about `seconds`, while instances work on them."""

    def __init__(self, case, seconds=24, count=40_000, instances=3, **options):
        self.app = case.application(**options)
        path = case.posts("posts.jsonl", "--count", count, "--seed", 40 + instances, "--span", 14_400)
        self.app.run("ingest", "--source", "file:/dev/null", "--exit-at-end", log="topics")
        self.instances = {str(i): self.start(str(i)) for i in range(1, instances + 1)}
        for process in self.instances.values():
            process.wait_for(r"INFO task running", 60)
        self.ingest = self.app.start("ingest", "--source", f"file:{path}", "--speed", str(14_400 / seconds), "--exit-at-end")
        self.begin = time.monotonic()
        self.starts = {}

    def start(self, instance):
        return self.app.start("process", instance=instance)

    def at(self, seconds):
        """Waits until so long after the first post."""
        left = self.begin + seconds - time.monotonic()
        check(left > -5, f"too slow for this load: {-left:.0f} s late")
        time.sleep(max(left, 0))
        check(self.ingest.running(), "the posts have ended before what was to happen meanwhile")

    def kill(self, instance):
        say(f"kill -9 of instance {instance}, {len(self.app.rows())} rows so far")
        self.instances.pop(instance).kill()

    def revive(self, instance):
        self.instances[instance] = self.start(instance)

    def settle(self, seconds=90):
        """To the end of the posts and their counting; then everybody leaves, and nothing may have changed."""
        self.ingest.wait(120)
        counted = self.app.recount()
        say(f"recount: {counted.fates}")
        begin = time.monotonic()
        self.app.wait_for_rows(counted.rows, seconds, self.instances.values())
        say(f"equal {time.monotonic() - begin:.1f} s after the last post")
        for process in self.instances.values():
            process.stop()
        self.app.check_rows(counted.rows, "rows after all have left")
        self.app.check_dead_letters(counted)
        return counted


def check_restores(case):
    """Local state must have been of use after a crash: from its checkpoint on, not from the changelog's begin."""
    begins = [int(n) for p in case.processes for n in re.findall(r"INFO restore begin .*checkpoint=(-?\d+)", p.text())]
    kept = sum(n >= 0 for n in begins)
    say(f"stores brought up from a checkpoint: {kept}, from the changelog alone: {len(begins) - kept}")
    check(kept > 0, "no checkpoint has survived a crash")


def kill_instance(case):
    """kill -9 of instances under load, restarted with their state.dir as the members of the group that they were"""
    load = Load(case, group_static_membership="true", **CHECKPOINTS)  # dynamic ones: lose_instance and others
    for second, victims in ((5, "2"), (10, "23"), (15, "1"), (18, "123")):
        load.at(second)
        for instance in victims:
            load.kill(instance)
        for instance in victims:
            load.revive(instance)
    load.settle()
    check_restores(case)


def kill_backlog(case):
    """kill -9 again and again while a backlog is worked off at full speed, by a static member of the group"""
    app = case.application(group_static_membership="true", **CHECKPOINTS)
    path = case.posts("posts.jsonl", "--count", 60_000, "--seed", 47, "--span", 14_400)
    app.run("ingest", "--source", f"file:{path}", "--exit-at-end")
    counted = app.recount()
    say(f"recount: {counted.fates}")
    r = random.Random(9)
    unfinished = kills = 0
    while kills < 12:
        process = app.start("process", "--exit-at-end")
        harness.wait_until(f"{process.name} to run", 60,
                           lambda p=process: not p.running() or "INFO task running" in p.text(), 0.02)
        time.sleep(r.random() * 0.2)
        if not process.running():
            process.wait(1)
            break
        process.kill()
        kills += 1
        unfinished += bool(app.differences(counted.rows))
    say(f"killed {kills} times, {unfinished} of them before the end")
    check(unfinished > 1, "the backlog was worked off before enough was killed")
    app.run("process", "--exit-at-end")
    app.check_rows(counted.rows)
    app.check_dead_letters(counted)
    check_restores(case)


def lose_instance(case):
    """kill -9 of one instance of three that does not come back: the others take over"""
    load = Load(case, seconds=16)
    load.at(6)
    load.kill("2")
    load.settle()


def hang_instance(case):
    """An instance hangs for longer than its session and goes on: it must not write what others have taken over"""
    load = Load(case)
    for second, instance in ((4, "2"), (15, "1")):
        load.at(second)
        load.instances[instance].signal(signal.SIGSTOP)
        say(f"instance {instance} hangs, {len(load.app.rows())} rows so far")
        load.at(second + 8)
        load.instances[instance].signal(signal.SIGCONT)
        say(f"instance {instance} goes on, {len(load.app.rows())} rows so far")
    counted = load.settle()
    check(counted.fates["counted"] > 30_000, "too few are counted")


def twins(case):
    """Two instances with one state.dir, or with one instance.id: one of them ends with the reason, nothing is wrong"""
    load = Load(case, seconds=20, instances=1, instance_id="twin")
    same = load.app.start("process", log="same-directory")
    same.wait(20, 1)
    say("the same state.dir:", same.text().strip().split("evilnet: ")[-1])
    check("is in use by another process" in same.text(), f"the reason is not told: {same.text()}")
    twin = load.app.start("process", instance="2", log="same-id")
    both = [load.instances["1"], twin]
    harness.wait_until("one of the twins to give up", 90, lambda: any(not p.running() for p in both))
    gone = next(p for p in both if not p.running())
    gone.wait(1, 1)
    check("another running instance has the same instance.id" in gone.text(), f"the reason is not told, {gone.log}\n{harness.tail(gone.log)}")
    say(f"the same instance.id: {gone.name} ended with the reason")
    load.instances = {p.name: p for p in both if p.running()}
    check(load.instances, "both have ended")
    load.settle()


def move_instances(case):
    """Instances come and go politely all the time under load"""
    load = Load(case, seconds=20, instances=2)
    for second, instance in ((3, "1"), (6, "2"), (9, "1"), (12, "2"), (15, "1")):
        load.at(second)
        load.revive(str(int(instance) + 2))
        load.instances[str(int(instance) + 2)].wait_for("INFO app started", 20)
        took = load.instances.pop(instance).stop()
        say(f"instance {instance} left in {took:.1f} s")
        check(took < 5, f"leaving took {took:.1f} s, 5 are the most")
        load.revive(instance)
        load.instances[instance].wait_for("INFO app started", 20)
        load.instances.pop(str(int(instance) + 2)).stop(10)
    load.settle()


def kill_kafka(case):
    """kill -9 of the broker under load, back after 20 seconds"""
    case.must_own("kafka")
    load = Load(case, instances=2)
    load.at(7)
    case.services("kill", "kafka")
    try:
        time.sleep(AWAY_S)
    finally:
        case.services("start", "kafka")
    begin = time.monotonic()
    load.settle(120)
    say(f"done {time.monotonic() - begin:.1f} s after the broker came back")


def kill_mysql(case):
    """kill -9 of MariaDB under load, back after 20 seconds"""
    case.must_own("mysql")
    load = Load(case)
    load.at(5)
    case.services("kill", "mysql")
    try:
        time.sleep(AWAY_S / 2)
        took = load.instances.pop("3").stop(10)
        say(f"an instance left in {took:.1f} s meanwhile")
        check(took < 5, f"leaving took {took:.1f} s without the database, 5 are the most")
        load.revive("3")
        time.sleep(AWAY_S / 2)
    finally:
        case.services("start", "mysql")
    begin = time.monotonic()
    load.settle()
    say(f"done {time.monotonic() - begin:.1f} s after the database came back")


def signals(case):
    """SIGTERM: commits and leaves within 5 seconds; SIGINT twice ends at once"""
    case.must_own("kafka")
    load = Load(case, seconds=12, instances=2)
    load.at(4)
    process = load.instances.pop("1")
    taken = load.instances["2"].text().count("INFO task running")
    took = process.stop(10)
    check(took < 5, f"leaving took {took:.1f} s, 5 are the most")
    load.instances["2"].wait_for("INFO task running", 10, taken + 3)
    say(f"left in {took:.2f} s, exit code 0; the other runs its tasks {time.monotonic() - load.begin - 4 - took:.1f} s later")
    check("transaction aborted" not in process.text(), f"what was at work was not committed, {process.log}")
    load.settle()

    process = load.app.start("process", log="interrupted")
    process.wait_for("INFO task running", 30)
    with open(os.path.join(harness.need("WEIR_TEST_DIR"), "kafka", "pid"), encoding="utf-8") as f:
        broker = int(f.read())
    os.kill(broker, signal.SIGSTOP)  # so that the first one has to wait
    try:
        process.signal(signal.SIGINT)
        time.sleep(0.5)
        check(process.running(), "the process left without a word to its group")
        process.signal(signal.SIGINT)
        begin = time.monotonic()
        process.wait(2, 130)
        say(f"SIGINT twice: ended {time.monotonic() - begin:.2f} s after the second, exit code 130")
    finally:
        os.kill(broker, signal.SIGCONT)
    process = load.app.start("ingest", "--source", "simulate", "--rate", "200", log="simulate")
    time.sleep(3)
    took = process.stop(10)
    check(took < 5, f"ingest took {took:.1f} s to leave")
    produced = int(process.text().rpartition("produced=")[2].split()[0])
    check(produced > 100 and "pending=0" in process.text().rpartition("ingest done")[2], "ingest left posts behind")
    say(f"ingest left in {took:.2f} s, all {produced} posts acknowledged")


TASKS = 6  # one for each partition of the posts, in the only sub-topology


def running(process):
    """task: records that it has restored"""
    return {task: int(n) for task, n in re.findall(r"INFO task running task=(\S+) restored=(\d+)", process.text())}


def recover_tail(case):
    """kill -9 and back with its state.dir: of the changelogs only what lies behind the checkpoints is read"""
    most = 1000 + 50  # what makes a checkpoint due, and markers of transactions
    app = case.application(group_static_membership="true", checkpoint_records=1000)
    path = case.posts("posts.jsonl", "--count", 60_000, "--seed", 48, "--span", 14_400)
    app.run("ingest", "--source", f"file:{path}", "--exit-at-end")
    process, counted = app.start("process"), app.recount()
    app.wait_for_rows(counted.rows, 60, [process])
    time.sleep(3)  # the checkpoint comes after the commit
    process.kill()
    process = app.start("process", log="back")
    process.wait_for(r"INFO task running", 40, TASKS)
    begins = re.findall(r"INFO restore begin (task=\S+ store=\S+) from=(\d+) to=(\d+) checkpoint=(-?\d+)", process.text())
    behind, total, read = 0, 0, sum(running(process).values())
    for name, begin, end, checkpoint in begins:
        check(begin == checkpoint or int(end) <= most, f"{name} begins at {begin}, its checkpoint is {checkpoint}")
        check(int(end) - int(begin) <= most, f"{name}: from {begin} to {end}, {most} is what may be missing")
        behind, total = behind + int(end) - int(begin), total + int(end)
    say(f"{len(begins)} changelogs of {total} records, {behind} behind the checkpoints, {read} read")
    check(begins and total > 5 * behind, "the tails are too much of it to tell them from the whole")
    check(read <= behind, "more was read than lies behind the checkpoints")
    app.check_rows(counted.rows)
    process.stop()


def rolling_restart(case):
    """Three static members are stopped or killed one after another, and come back: nothing moves"""
    load = Load(case, seconds=30, group_static_membership="true")
    harness.wait_until("an even share of the tasks for each", 30,
                       lambda: all(len(held(p)) == TASKS // 3 for p in load.instances.values()))
    time.sleep(2)  # the group may have another round
    before = {name: held(p) for name, p in load.instances.items()}
    say("tasks:", {name: sorted(tasks) for name, tasks in before.items()})
    check(sorted(sum(map(sorted, before.values()), [])) == [f"0_{n}" for n in range(TASKS)], f"tasks: {before}")
    events = {name: group_events(p) for name, p in load.instances.items()}
    for how in ("SIGTERM", "SIGKILL"):
        for name in sorted(before):
            process = load.instances.pop(name)
            process.stop(10) if how == "SIGTERM" else process.kill()
            load.revive(name)
            began = time.monotonic()
            harness.wait_until(f"the tasks of instance {name}", 20,
                               lambda: len(held(load.instances[name])) >= len(before[name]))
            say(f"instance {name} after {how}: its tasks run again after {time.monotonic() - began:.2f} s")
            check(held(load.instances[name]) == before[name], f"instance {name} has {held(load.instances[name])}, had {before[name]}")
            events[name] = group_events(load.instances[name])
            check(len(events[name]) == 1, f"instance {name}: {events[name]}, one assignment is wanted")
            for other, process in load.instances.items():
                check(group_events(process) == events[other], f"{how} of {name} was felt by {other}: {group_events(process)}")
    load.settle()


def kill_between_rounds(case):
    """A static member is killed amid a rebalance, when it has given tasks up and not said so, and comes back: all run somewhere"""
    load = Load(case, seconds=30, instances=1, group_static_membership="true")
    first = load.instances["1"]
    harness.wait_until("all tasks at the first", 30, lambda: len(held(first)) == TASKS)
    load.revive("2")
    harness.wait_until("the first gives tasks up", 30, lambda: re.search(r"INFO group revoked tasks=[1-9]", first.text()), every=0.0005)
    load.kill("1")
    load.revive("1")
    began = time.monotonic()
    harness.wait_until("each task at one of the two", 30, lambda: sorted(
        task for process in load.instances.values() for task in held(process)) == [f"0_{n}" for n in range(TASKS)])
    asked = sum(len(re.findall("asking for another round", p.text())) for p in load.instances.values())
    say(f"all tasks run after {time.monotonic() - began:.1f} s; another round was asked for {asked} times")
    check(all(held(process) for process in load.instances.values()), "one of the two has none")
    load.settle()


def held(process):
    """The tasks that run there now."""
    tasks = set()
    for event, task in re.findall(r"INFO task (running|closed) task=(\S+)", process.text()):
        (tasks.add if event == "running" else tasks.discard)(task)
    return tasks


def group_events(process):
    """What its group has told it of its partitions, but for assignments of nothing."""
    return re.findall(r"INFO group ((?:assigned|revoked|lost) tasks=[1-9]\d*)", process.text())


SCENARIOS = {"recover_tail": recover_tail, "rolling_restart": rolling_restart, "kill_between_rounds": kill_between_rounds,
             "kill_instance": kill_instance, "kill_backlog": kill_backlog, "lose_instance": lose_instance, "hang_instance": hang_instance,
             "twins": twins, "move_instances": move_instances,
             "kill_kafka": kill_kafka, "kill_mysql": kill_mysql, "signals": signals}
