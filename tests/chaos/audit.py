"""What must be true after all of it: table, topic of results and dead letters are what the posts' topic says."""
import time

import cluster
from cluster import check, harness

recount = harness.recount
SETTLE_S = 600


def read_result(value):
    fields, end = recount.unpack(value, 0)
    check(end == len(value), "bytes behind a result")
    named = {bytes(k).decode(): v for k, v in fields}
    return named["tweets"], named["retweets"], named["users"], named["upto"]


def check_results(c, expected):
    """The topic of results, as committed: the last of each window is right, and each goes beyond the one before."""
    last, records, wrong = {}, 0, []
    for partition, offset, _, key, value in c.case.records(c.app.metrics, "metrics"):
        records += 1
        if value is None:
            continue
        place, start = key[:-8], int.from_bytes(key[-8:], "big")
        row = (recount.escape(place), recount.sql_time(start), cluster.WINDOW_MS // 1000)
        result = read_result(value)
        before = last.get(row)
        if before and not (result[0] > before[0] and result[3] > before[3]):
            wrong.append(f"{partition}:{offset} {row}: {result} after {before}")
        last[row] = result
    check(not wrong, f"topic of results: {len(wrong)} do not go beyond the one before:\n    "
          + "\n    ".join(wrong[:harness.SHOWN]))
    differ = [f"{key}: wanted {expected.get(key)}, got {last.get(key)}" for key in sorted(expected.keys() | last.keys())
              if expected.get(key) != last.get(key)]
    check(not differ, f"topic of results: {len(differ)} differ:\n    " + "\n    ".join(differ[:harness.SHOWN]))
    c.say(f"topic of results: {records} records, each beyond the one before, the last of {len(last)} windows right")


def recounted(c):
    return c.app.recount(window_ms=cluster.WINDOW_MS, grace_ms=cluster.GRACE_MS, skew_ms=cluster.SKEW_MS)


def check_all(c, seconds):
    counted = recounted(c)
    rate = counted.fates["records"] / seconds
    c.say(f"recount of the input ({rate:.0f} posts a second over {seconds:.0f} s): {counted.fates}")
    check(rate > c.rate * 0.9, f"the load was {rate:.0f} posts a second, not {c.rate}")
    wait_for_rows(c, counted.rows, "rows")
    check_results(c, counted.rows)
    c.app.check_dead_letters(counted)
    rebuild(c)


def wait_for_rows(c, rows, what):
    running = [i.process for i in c.instances if i.process is not None]
    c.app.wait_for_rows(rows, SETTLE_S, running, what)


def rebuild(c):
    """State made anew from the changelogs alone must go on where it was: with more posts into windows still open."""
    for instance in c.instances[:cluster.INSTANCES]:
        instance.held = True
        instance.process.stop(cluster.STOP_S)
        instance.forget()
    for instance in c.instances[:cluster.INSTANCES]:
        instance.start()
    c.start_load(c.seed + 1)
    time.sleep(8)
    c.stop_load()
    counted = recounted(c)
    wait_for_rows(c, counted.rows, "rows after all local state was deleted")
