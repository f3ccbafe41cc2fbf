"""Scenarios: rows put right again, and the clean start."""
import os
import re
import socket
import struct
import subprocess
import time

import harness
import posts
from harness import check, say

SPACED = "Toronto, Ontario "
SHARE = "CRC32(CONCAT(place, window_start)) % 5"  # a fifth of the rows, always the same


def utc(ms):
    return harness.recount.sql_time(ms)


def spoil(app, since, newest):
    """Changes, deletes and invents rows behind `since`; some before it, which must stay so."""
    span = f"window_start >= '{since}' AND window_start < '{newest}'"
    before = len(app.rows(span))
    app.query(f"UPDATE city_windows SET tweets = tweets + 7, users = 1 WHERE {span} AND {SHARE} = 0")
    app.query(f"UPDATE city_windows SET retweets = 0, upto = upto - LEAST(upto, 3) WHERE {span} AND {SHARE} = 1")
    app.query(f"DELETE FROM city_windows WHERE {span} AND {SHARE} = 2")
    for place in ("Nowhere, Ontario", "Toronto, Ontario "[:-1] + "x", "O'Brien\\"):
        app.query("INSERT INTO city_windows SELECT '{}', window_start, window_seconds, 5, 4, 3, 2, UTC_TIMESTAMP(6) FROM "
                  "city_windows WHERE {} GROUP BY window_start, window_seconds".format(
                      place.replace("\\", "\\\\").replace("'", "\\'"), span))
    older = f"window_start < '{since}'"
    app.query(f"UPDATE city_windows SET tweets = tweets + 1000 WHERE {older} AND {SHARE} = 0")
    app.query(f"DELETE FROM city_windows WHERE {older} AND {SHARE} = 2")
    app.query("INSERT INTO city_windows SELECT 'Nowhere, Ontario', window_start, window_seconds, 5, 4, 3, 2, UTC_TIMESTAMP(6) "
              f"FROM city_windows WHERE {older} GROUP BY window_start, window_seconds")
    return before


def reprocess(case):
    """reprocess --since 1h while posts come in, after rows were changed, deleted and invented by hand"""
    app = case.application()
    app.run("ingest", "--source", "simulate", "--rate", "5", "--seed", "70", "--exit-at-end", log="past",
            evilnet_simulate_backfill="150m", evilnet_simulate_count=45_000)
    process = app.start("process")
    live = app.start("ingest", "--source", "simulate", "--rate", "300", "--seed", "71", log="live")
    counted = app.recount()
    complete = {key: row for key, row in counted.rows.items() if key[1] < utc(int(time.time() * 1000) - 1_800_000)}
    harness.wait_until("rows of what is complete", 60, lambda: not complete.items() - app.rows().items())
    now_ms = int(time.time() * 1000)
    from_ms = (now_ms - 3_600_000) // harness.WINDOW_MS * harness.WINDOW_MS
    newest = utc(now_ms // harness.WINDOW_MS * harness.WINDOW_MS)
    # a name that ends in a space is none for the table: one more row that must not hold up the others
    posts.produce(case, app.topic, [(SPACED, posts.json_form(f"s{i}", f"a{i}", now_ms, False, SPACED)) for i in range(3)])
    touched = spoil(app, utc(from_ms), newest)
    older = app.rows(f"window_start < '{utc(from_ms)}'")
    check(len(older) > 100 and touched > 100, f"too few rows: {len(older)} older, {touched} of the past hour")
    since = (now_ms - from_ms) // 60_000  # as --since 1h, also if a window ends meanwhile
    text = app.run("reprocess", "--since", "1h" if since >= 61 else f"{since}m")
    say(re.search("reprocessed .*", text)[0], f"({touched} rows of the past hour spoilt)")
    check(" 1 refused" in text, f"one row was to be refused: {text}")
    check(live.running() and process.running(), "live traffic has ended")
    live.stop()
    counted = app.recount()
    want = {key: row for key, row in counted.rows.items() if key[1] >= utc(from_ms) and key[0] != SPACED}
    app.wait_for_rows({**older, **want}, 30, [process], "rows, right again in the past hour and untouched before it")
    process.stop()
    app.check_rows({**older, **want}, "rows after process has left")
    app.check_dead_letters(
        counted, from_sink=["the place ends in a space, which the table cannot tell from the place without it"])


def groups():
    """All consumer groups of the broker: ListGroups (16) version 3, which kcat does not speak."""
    host, port = harness.need("WEIR_TEST_BOOTSTRAP").rsplit(":", 1)
    with socket.create_connection((host, int(port)), 10) as s, s.makefile("rb") as answer:
        request = struct.pack(">hhih", 16, 3, 1, -1) + b"\0\0"  # no client id, no tags, twice
        s.sendall(struct.pack(">i", len(request)) + request)
        data = answer.read(struct.unpack(">i", answer.read(4))[0])
    at = 4 + 1 + 4 + 2  # correlation id, tags, throttle time, error

    def number():
        nonlocal at
        value = shift = 0
        while True:
            value |= (data[at] & 0x7F) << shift
            shift, at = shift + 7, at + 1
            if data[at - 1] < 0x80:
                return value

    def text():
        nonlocal at
        n = number() - 1
        at += n
        return data[at - n:at].decode()

    check(data[9:11] == b"\0\0", f"ListGroups: error {data[9:11]}")
    found = []
    for _ in range(number() - 1):
        found.append(text())
        text()  # its type
        check(number() == 0, "ListGroups: tags that are not understood")
    return found


def left_behind(case, app):
    found = [f"topic {t}" for t in case.topics() if t.startswith(app.id)]
    found += [f"group {g}" for g in groups() if g.startswith(app.id)]
    found += [f"directory {app.state_dir()}/{app.id}"] if os.path.exists(f"{app.state_dir()}/{app.id}") else []
    for table in ("city_windows", "sink_offsets WHERE next_offset IS NOT NULL"):
        n = int(app.query(f"SELECT COUNT(*) FROM {table}"))
        found += [f"{n} rows in {table}"] if n else []
    return found


def reset(case):
    """reset leaves nothing behind, and a run from scratch gives the same rows"""
    app = case.application()
    path = case.posts("posts.jsonl", "--count", 20_000, "--seed", 80)
    other = case.application("other")
    for each in (app, other):
        each.run("ingest", "--source", f"file:{path}", "--exit-at-end")
        each.run("process", "--exit-at-end")
    first = app.rows()
    app.check_rows(app.recount().rows)
    check(len(left_behind(case, app)) == 6 + 2 + 1 + 2, f"what there is before: {left_behind(case, app)}")

    process = app.start("process")
    process.wait_for("INFO task running", 30)
    text = app.run("reset", "--yes", code=1)
    check("is an instance still running? (one that was killed counts for session.timeout.ms: 6 s)" in text, f"reset with a running instance says: {text}")
    check(app.rows() == first and process.running(), "a reset that was refused has changed something")
    process.stop()
    asked = app.start("reset", stdin=subprocess.PIPE)
    asked.popen.communicate(b"n\n", 30)
    asked.wait(5, 1)
    check("nothing was changed" in asked.text(), f"reset answered with no says: {asked.text()}")
    check(app.rows() == first, "a reset that was answered with no has changed something")

    text = app.run("reset", "--yes")
    say(re.search("reset: .*", text)[0])
    left = left_behind(case, app)
    check(not left, f"reset leaves behind: {left}")
    check(other.rows() == {k: v for k, v in first.items()}, "reset has touched another application")
    say(re.search("reset: .*", app.run("reset", "--yes"))[0], "(once more)")

    app.run("ingest", "--source", f"file:{path}", "--exit-at-end")
    app.run("process", "--exit-at-end")
    app.check_rows(first, "rows of a run from scratch")
    yes = app.start("reset", stdin=subprocess.PIPE)
    yes.popen.communicate(b"yes\n", 30)
    yes.wait(30)
    check(not left_behind(case, app), "reset that was answered with yes leaves something behind")


SCENARIOS = {"reprocess": reprocess, "reset": reset}
