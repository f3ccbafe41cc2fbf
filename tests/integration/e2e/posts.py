"""What ingest must make of a line, by the contract of the X API's objects and not by weir's code; records for kcat."""
import collections
import json
import os

import harness
import recount

AHEAD_MAX_MS = 3_600_000  # the broker's message.timestamp.after.max.ms
WORKED_EXAMPLE = os.path.join(harness.INTEGRATION, "worked_example.jsonl")
HOSTILE = "O'Brien\"; DROP TABLE city_windows;-- <script>"


def judge(line, now_ms):
    """("post", fields) or the name of what it is instead."""
    try:
        tree = json.loads(line, object_pairs_hook=recount.once_each, parse_constant=recount.no_constant)
        line.encode("utf-8")
        json.dumps(tree, ensure_ascii=False).encode("utf-8")  # a lone surrogate is no text
    except (ValueError, RecursionError):
        return "unreadable", None
    data = tree.get("data") if isinstance(tree, dict) else None
    if not isinstance(data, dict) or not isinstance(data.get("id"), str) or not data["id"]:
        return "unreadable", None
    places = tree.get("includes", {}).get("places") or []
    wanted = data.get("geo", {}).get("place_id")
    place = next((p for p in places if p.get("id") == wanted), places[0] if places else None)
    if place is None:
        return "no place", None
    if place.get("place_type") != "city":
        return "no city", None
    name, author = place.get("full_name"), data.get("author_id")
    for text in (name, author):
        if not isinstance(text, str) or not text or "\0" in text:
            return "unreadable", None
    if len(name) > recount.PLACE_CHARS_MAX:
        return "unreadable", None
    try:
        created = recount.time_ms(data["created_at"])
    except (recount.Unreadable, KeyError, TypeError):
        return "unreadable", None
    if created < 0:
        return "unreadable", None
    if created > now_ms + AHEAD_MAX_MS:
        return "refused", None
    return "post", (data["id"], author, created, bool(data.get("referenced_tweets")), name)


def expected_of(path, now_ms):
    """(the posts that must stand in the topic, how many lines of each other kind)"""
    posts, others = collections.Counter(), collections.Counter()
    with open(path, encoding="utf-8", newline="\n") as lines:
        for line in lines:
            if not line.strip():
                continue
            kind, post = judge(line, now_ms)
            if post:
                posts[post] += 1
            else:
                others[kind] += 1
    return posts, others


def post_of(value):
    post_id, author, created, retweet, place = recount.read_post(value)
    return post_id.decode(), author.decode(), created, retweet, place.decode()


def json_form(post_id, author, created_ms, retweet, place):
    return json.dumps({"author_id": author, "id": post_id, "created_at": iso(created_ms), "is_retweet": retweet,
                       "place": place})


def iso(ms):
    return f"{recount.sql_time(ms // 1000 * 1000).replace(' ', 'T')}.{ms % 1000:03d}Z"


def produce(case, topic, records, headers=(), null=False):
    """(key or None, value as text), to the partition that Java clients choose."""
    arguments = ["-P", "-t", topic, "-X", "partitioner=murmur2", "-K", "\x1f", *(["-Z"] if null else [])]
    for header in headers:
        arguments += ["-H", header]
    keyed = [r for r in records if r[0] is not None]
    if keyed:
        case.kcat(*arguments, stdin="".join(f"{k}\x1f{v}\n" for k, v in keyed).encode())
    bare = [r for r in records if r[0] is None]
    if bare:
        case.kcat("-P", "-t", topic, "-p", "0", stdin="".join(f"{v}\n" for _, v in bare).encode())
