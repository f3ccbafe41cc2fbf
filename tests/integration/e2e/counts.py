"""Scenarios: what comes out is what was posted."""
import collections
import os
import random
import time

import harness
import posts
from harness import check, say


def expect_table(path):
    rows = {}
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            place, start, seconds, tweets, retweets, users = line.rstrip("\n").split("\t")
            rows[place, start, int(seconds)] = (int(tweets), int(retweets), int(users))
    return rows


def worked_example(case):
    """The worked example, with a crash between its posts and a broker that checks retention each second"""
    app = case.application()
    with open(posts.WORKED_EXAMPLE, encoding="utf-8") as f:
        lines = f.readlines()
    for name, part in (("first", lines[:6]), ("second", lines[6:])):
        with open(case.path(name), "w", encoding="utf-8") as f:
            f.writelines(part)
    app.run("ingest", "--source", f"file:{case.path('first')}", "--exit-at-end")
    process = app.start("process")
    app.wait_for_rows(app.recount().rows, 30, [process], "rows of six posts")
    process.kill()
    app.run("ingest", "--source", f"file:{case.path('second')}", "--exit-at-end")
    time.sleep(3)  # so that the broker has looked for old records
    app.run("process", "--exit-at-end")
    counted = app.recount()
    check(counted.fates["counted"] == 13, f"13 posts are to be counted, the topic holds {counted.fates}")
    app.check_rows(counted.rows)
    table = expect_table(os.path.join(harness.INTEGRATION, "worked_example.rows"))
    got = {key: row[:3] for key, row in app.rows().items()}
    check(got == table, f"the table of the example: wanted {table}, got {got}")
    app.check_dead_letters(counted, collections.Counter())
    time.sleep(3)
    check(len(list(case.records(app.metrics, "metrics"))) >= 11, "results have gone from their topic")
    app.run("process", "--exit-at-end")  # with nothing new to do
    app.check_rows(counted.rows, "rows after one more run")


def clocks(case, topic, end_ms):
    """Records with a receive time, some from the future; and what is no post, or not under its key."""
    r = random.Random(5)
    records = []
    for i in range(400):
        ahead = r.choice([-600_000, -30_000, 0, 0, 59_999, 60_000, 60_001, 90_000, 3_000_000])
        place = r.choice(["Clock, Future", "Toronto, Ontario", posts.HOSTILE])
        records.append((place, posts.json_form(f"c{i}", f"a{i % 50}", end_ms + ahead, i % 3 == 0, place)))
    posts.produce(case, topic, records, [f"received={end_ms}"])
    good = posts.json_form("k1", "a1", end_ms, False, "Toronto, Ontario")
    odd = [("Toronto, Ontario", v) for v in ("garbage", "{}", "{", "[1]", "\x01\x02", good[:-1], good + "x")]
    odd += [("Montreal, Quebec", good), (None, good), ("Toronto, Ontario ", good)]
    posts.produce(case, topic, odd)
    posts.produce(case, topic, [("Toronto, Ontario", "")], null=True)
    return len(records) + len(odd) + 1


def many(case):
    """200,000 posts of all kinds, through one instance and through three: rows and dead letters equal the recount"""
    span_s, start_ms = 4 * 3600, 1_663_210_800_000
    path = case.posts("posts.jsonl", "--count", 200_000, "--seed", 20, "--span", span_s)
    say("made")
    three = case.application("three")
    three.run("ingest", "--source", "file:/dev/null", "--exit-at-end", log="topics")
    running = [three.start("process", instance=str(i)) for i in (1, 2, 3)]
    for process in running:
        process.wait_for(r"INFO task running", 60)
    three.run("ingest", "--source", f"file:{path}", "--exit-at-end")
    one = case.application("one", posts=three.topic)
    wanted, others = posts.expected_of(path, int(time.time() * 1000))
    say(f"ingested {sum(wanted.values())} posts, others: {dict(others)}")
    extra = clocks(case, one.topic, start_ms + span_s * 1000)
    counted = one.recount()
    say(f"recount: {counted.fates}")
    for fate in ("unreadable", "key", "future", "repeated", "late"):
        check(counted.fates[fate] >= 3, f"too few are {fate} to prove anything")
    check(sum(wanted.values()) + extra == counted.fates["records"],
          f"in the topic: wanted {sum(wanted.values())} posts and {extra} more, got {counted.fates['records']} records")
    got = collections.Counter()
    for _, _, headers, key, value in case.records(one.topic, "one-posts"):
        if key and value and not headers and value[:1] not in b"{[g\x01":
            post = posts.post_of(value)
            check(key.decode() == post[4], f"post {post} stands under the key {key}")
            got[post] += 1
    missing, invented = wanted - got, got - wanted
    check(not missing and not invented, f"in the topic: missing {list(missing.items())[:5]}, invented {list(invented.items())[:5]}")
    from_ingest = collections.Counter({k: others[k] for k in ("unreadable", "refused")})

    three.wait_for_rows(counted.rows, 60, running, "three instances")
    for process in running:
        process.stop()
    three.check_rows(counted.rows, "three instances, after they have left")
    three.check_dead_letters(counted, from_ingest)

    begin = time.monotonic()
    one.run("process", "--exit-at-end")
    say(f"one instance: {time.monotonic() - begin:.1f} s")
    one.check_rows(counted.rows, "one instance")
    one.check_dead_letters(counted)


def rekeyed(case):
    """Records in the original's JSON form without keys, filled in by kcat, with evilnet.rekey"""
    span_s = 4 * 3600
    # the instances read their partitions each at its own pace: what one is ahead of the other must not be late
    app = case.application(evilnet_rekey="true", evilnet_grace=f"{span_s}s", repartition_purge_interval_ms="3600000")
    path = case.path("records.json")
    case.posts("unused.jsonl", "--count", 0, "--seed", 3, "--span", span_s,
               "--json-form", path, "--json-count", 20_000)
    app.run("ingest", "--source", "file:/dev/null", "--exit-at-end")  # makes the topics
    case.kcat("-P", "-t", app.topic, "-l", path)
    running = [app.start("process", "--exit-at-end", instance=str(i)) for i in (1, 2)]
    for process in running:
        process.wait(120)
    repartition = next(t for t in case.topics() if t.startswith(app.id) and t.endswith("-repartition"))
    into = collections.Counter(posts.post_of(v) for *_, v in case.records(app.topic, "in"))
    through = collections.Counter(posts.post_of(v) for *_, v in case.records(repartition, "through"))
    check(into == through, f"{repartition} does not hold what the posts' topic holds: missing {list((into - through).items())[:5]}, "
                           f"invented {list((through - into).items())[:5]}")
    counted = app.recount(repartition, grace_ms=span_s * 1000)
    say(f"recount: {counted.fates}")
    check(counted.fates["counted"] > 15_000, "too few are counted")
    app.check_rows(counted.rows)
    app.check_dead_letters(counted)


SCENARIOS = {"worked_example": worked_example, "many": many, "rekeyed": rekeyed}
