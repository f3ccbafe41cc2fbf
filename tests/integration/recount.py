#!/usr/bin/env python3
"""Counts posts again, apart from weir: what must stand in city_windows for the posts that stand in a topic.

Reads a dump of the topic that the windows read, as kcat writes it (each record: one line of partition, offset,
timestamp, length of the key, length of the value and headers; then key and value as they are, and a line feed):

    kcat -C -b HOST:PORT -t evilnet.posts -e -q -f '%p %o %T %K %S %h\\n%k%s\\n' | recount.py

and prints the rows, tab-separated and escaped as `mariadb -B` does, sorted by bytes:

    place  window_start  window_seconds  tweets  retweets  users  upto

With --rekey N the dump is of a topic of one partition that others fill without keys, as evilnet.rekey reads it: posts
go through N partitions by their place, and `upto`, an offset in a topic that is purged, is shown as 0 and not compared.

With --rows FILE (such rows, from the database) it prints what differs instead, and exits with 1 if anything does.

The rules, per partition and in the order of offsets:
  unreadable  not a post (schemas/README.md): left out
  key         the key is not the place: left out
  future      created more than --skew after the `received` header, where there is one: left out
  repeated    same id and place as an accepted post whose window is still open: left out
  late        the end of its window lies at or before stream time - grace: left out. Stream time is the greatest
              created_at of the partition's posts so far that are none of the above, this one included.
Everything else is counted into the window of its place; users are the distinct authors, exactly.
"""
import argparse
import datetime
import json
import re
import struct
import sys

PLACE_CHARS_MAX = 190


class Unreadable(Exception):
    pass


# --- records ---------------------------------------------------------------------------------------------------

def read_dump(stream):
    """(partition, offset, headers, key, value); key and value are bytes, or None."""
    while True:
        line = stream.readline()
        if not line:
            return
        fields = line.rstrip(b"\n").split(b" ", 5)
        if len(fields) < 5:
            raise SystemExit(f"recount: not a record's line: {line!r}")
        partition, offset, _, key_len, value_len = (int(f) for f in fields[:5])
        body = stream.read(max(key_len, 0) + max(value_len, 0) + 1)
        if not body.endswith(b"\n") or len(body) != max(key_len, 0) + max(value_len, 0) + 1:
            raise SystemExit(f"recount: record {partition}:{offset} is cut")
        key = body[:key_len] if key_len >= 0 else None
        value = body[max(key_len, 0):-1] if value_len >= 0 else None
        yield partition, offset, read_headers(fields[5] if len(fields) > 5 else b""), key, value


def read_headers(text):
    """kcat's "name=value,name=value"; the last of a name counts."""
    headers = {}
    for item in text.split(b","):
        name, equals, value = item.partition(b"=")
        if equals:
            headers[name.decode("utf-8", "replace")] = value
    return headers


# --- posts -----------------------------------------------------------------------------------------------------

def unpack(data, at):
    """One msgpack value: (value, where it ends). Values of no interest come back as None."""
    def number(form, size):
        if at + 1 + size > len(data):
            raise Unreadable("cut")
        return struct.unpack_from(">" + form, data, at + 1)[0], at + 1 + size

    def body(length, start, make):
        if start + length > len(data):
            raise Unreadable("cut")
        return make(data[start:start + length]), start + length

    if at >= len(data):
        raise Unreadable("cut")
    t = data[at]
    if t < 0x80:
        return t, at + 1
    if t < 0x90:
        return unpack_map(data, at + 1, t & 0x0F)
    if t < 0xA0:
        return unpack_items(data, at + 1, t & 0x0F)
    if t < 0xC0:
        return body(t & 0x1F, at + 1, text)
    if t >= 0xE0:
        return t - 256, at + 1
    if t in (0xC2, 0xC3):
        return t == 0xC3, at + 1
    if t == 0xC0:
        return None, at + 1
    integers = {0xCC: ("B", 1), 0xCD: ("H", 2), 0xCE: ("I", 4), 0xCF: ("Q", 8),
                0xD0: ("b", 1), 0xD1: ("h", 2), 0xD2: ("i", 4), 0xD3: ("q", 8)}
    if t in integers:
        return number(*integers[t])
    lengths = {0xD9: ("B", 1), 0xDA: ("H", 2), 0xDB: ("I", 4)}
    if t in lengths:
        n, start = number(*lengths[t])
        return body(n, start, text)
    if t in (0xDC, 0xDD):
        n, start = number(*(("H", 2) if t == 0xDC else ("I", 4)))
        return unpack_items(data, start, n)
    if t in (0xDE, 0xDF):
        n, start = number(*(("H", 2) if t == 0xDE else ("I", 4)))
        return unpack_map(data, start, n)
    if t in (0xC4, 0xC5, 0xC6, 0xC7, 0xC8, 0xC9):
        n, start = number(*{0xC4: ("B", 1), 0xC5: ("H", 2), 0xC6: ("I", 4),
                            0xC7: ("B", 1), 0xC8: ("H", 2), 0xC9: ("I", 4)}[t])
        return body(n + (t >= 0xC7), start, lambda _: None)
    fixed = {0xCA: 4, 0xCB: 8, 0xD4: 2, 0xD5: 3, 0xD6: 5, 0xD7: 9, 0xD8: 17}
    if t in fixed:
        return body(fixed[t], at + 1, lambda _: None)
    raise Unreadable("no msgpack")


class Text(bytes):
    """The bytes of a msgpack str: told from other values, and not decoded before somebody asks."""


def text(raw):
    return Text(raw)


def unpack_items(data, at, n):
    for _ in range(n):
        _, at = unpack(data, at)
    return None, at


def unpack_map(data, at, n):
    pairs = []
    for _ in range(n):
        key, at = unpack(data, at)
        value, at = unpack(data, at)
        pairs.append((key, value))
    return pairs, at


TIME = re.compile(r"(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:\.(\d+))?(?:[Zz]|([+-])(\d\d):(\d\d))", re.ASCII)


def time_ms(t):
    m = TIME.fullmatch(t)
    if not m:
        raise Unreadable("time")
    second, fraction = int(m[6]), (m[7] or "")[:3].ljust(3, "0")
    east = (int(m[9]) * 60 + int(m[10])) * (-1 if m[8] == "-" else 1) if m[8] else 0
    if second > 60 or (m[8] and (int(m[9]) > 23 or int(m[10]) > 59)):
        raise Unreadable("time")
    try:
        day = datetime.datetime(int(m[1]), int(m[2]), int(m[3]), int(m[4]), int(m[5]))
    except ValueError as e:
        raise Unreadable("time") from e
    minutes = (day - datetime.datetime(1970, 1, 1)) // datetime.timedelta(minutes=1) - east
    return (minutes * 60 + second) * 1000 + int(fraction)


def no_constant(name):
    raise ValueError(name)


def finite(number):
    value = float(number)
    if value in (float("inf"), float("-inf")):
        raise ValueError(number)
    return value


def once_each(pairs):
    if len({k for k, _ in pairs}) != len(pairs):
        raise ValueError("twice")
    return dict(pairs)


def fields_of_json(value):
    try:
        fields = json.loads(value.decode("utf-8"), object_pairs_hook=once_each, parse_constant=no_constant,
                            parse_float=finite, parse_int=finite)
        fields = {k: Text(v.encode("utf-8")) if isinstance(v, str) else v for k, v in fields.items()}
    except (ValueError, RecursionError, AttributeError) as e:
        raise Unreadable("JSON") from e
    if not isinstance(fields.get("created_at"), Text):
        raise Unreadable("created_at")
    fields["created_at"] = time_ms(fields["created_at"].decode("utf-8"))
    return fields


def fields_of_msgpack(value):
    if not (0x80 <= value[0] < 0x90 or value[0] in (0xDE, 0xDF)):
        raise Unreadable("no map")
    try:
        pairs, end = unpack(value, 0)
    except RecursionError as e:
        raise Unreadable("depth") from e
    if end != len(value):
        raise Unreadable("bytes behind")
    known = [(k.decode(), v) for k, v in pairs
             if isinstance(k, Text) and k in (b"id", b"author_id", b"created_at", b"is_retweet", b"place")]
    if len({k for k, _ in known}) != len(known):
        raise Unreadable("twice")
    return dict(known)


def read_post(value):
    """(id, author, created_at, is_retweet, place); texts as bytes."""
    if not value:
        raise Unreadable("empty")
    fields = (fields_of_json if value[:1] in b"{ \t\r\n" else fields_of_msgpack)(value)
    texts = [fields.get(name) for name in ("id", "author_id", "place")]
    created, retweet = fields.get("created_at"), fields.get("is_retweet")
    for t in texts:
        if not isinstance(t, Text) or not t or b"\0" in t:
            raise Unreadable("text")
        try:
            t.decode("utf-8")
        except UnicodeDecodeError as e:
            raise Unreadable("UTF-8") from e
    if len(texts[2].decode("utf-8")) > PLACE_CHARS_MAX:
        raise Unreadable("place too long")
    if not isinstance(created, int) or isinstance(created, bool) or not 0 <= created < 1 << 63:
        raise Unreadable("created_at")
    if not isinstance(retweet, bool):
        raise Unreadable("is_retweet")
    return bytes(texts[0]), bytes(texts[1]), created, retweet, bytes(texts[2])


def partition_of(key, partitions):
    """As Java clients do it: murmur2, made positive."""
    m, mask = 0x5BD1E995, 0xFFFFFFFF
    h = 0x9747B28C ^ len(key)
    whole = len(key) // 4 * 4
    for i in range(0, whole, 4):
        k = int.from_bytes(key[i:i + 4], "little") * m & mask
        k = (k ^ k >> 24) * m & mask
        h = (h * m & mask) ^ k
    if whole < len(key):
        h = (h ^ int.from_bytes(key[whole:], "little")) * m & mask
    h = (h ^ h >> 13) * m & mask
    return ((h ^ h >> 15) & 0x7FFFFFFF) % partitions


# --- counting --------------------------------------------------------------------------------------------------

class Row:
    def __init__(self):
        self.tweets = self.retweets = 0
        self.users = set()
        self.upto = -1


class Recount:
    def __init__(self, window_ms, grace_ms, skew_ms, rekey):
        self.window_ms, self.grace_ms, self.skew_ms, self.rekey = window_ms, grace_ms, skew_ms, rekey
        self.rows = {}         # (place, window start): Row
        self.stream_ms = {}    # partition: stream time
        self.next_offset = {}  # partition: so that the order is checked
        self.open_until = {}   # (partition, id, place): end of the window that the post was counted into
        self.fates = dict.fromkeys(("records", "counted", "unreadable", "key", "future", "repeated", "late"), 0)

    def take(self, partition, offset, headers, key, value):
        if offset < self.next_offset.get(partition, 0):
            raise SystemExit(f"recount: partition {partition}: offset {offset} is out of order")
        self.next_offset[partition] = offset + 1
        if self.rekey and len(self.next_offset) > 1:
            raise SystemExit("recount: --rekey: of several partitions nobody knows the order")
        self.fates["records"] += 1
        self.fates[self.judge(partition, offset, headers, key, value)] += 1

    def judge(self, partition, offset, headers, key, value):
        try:
            post_id, author, created, retweet, place = read_post(value)
        except Unreadable:
            return "unreadable"
        if self.rekey:
            partition, offset = partition_of(place, self.rekey), 0
        elif key != place:
            return "key"
        if re.fullmatch(rb"-?\d+", headers.get("received", b"")) and created - int(headers["received"]) > self.skew_ms:
            return "future"
        now = max(self.stream_ms.get(partition, 0), created)
        closed_until = now - self.grace_ms
        identity = (partition, post_id, place)
        if self.open_until.get(identity, -1 << 63) > closed_until:
            return "repeated"
        self.stream_ms[partition] = now
        start = created - created % self.window_ms
        if start + self.window_ms <= closed_until:
            return "late"
        self.open_until[identity] = start + self.window_ms
        row = self.rows.setdefault((place, start), Row())
        row.tweets += 1
        row.retweets += retweet
        row.users.add(author)
        row.upto = offset
        return "counted"

    def lines(self, since_ms):
        for (place, start), row in sorted(self.rows.items()):
            if start >= since_ms:
                yield (escape(place), sql_time(start), self.window_ms // 1000, row.tweets, row.retweets,
                       len(row.users), row.upto)


def escape(raw):
    for a, b in ((b"\\", b"\\\\"), (b"\t", b"\\t"), (b"\n", b"\\n"), (b"\0", b"\\0")):
        raw = raw.replace(a, b)
    return raw.decode("utf-8")


def sql_time(ms):
    return str(datetime.datetime(1970, 1, 1) + datetime.timedelta(milliseconds=ms))


# --- comparing -------------------------------------------------------------------------------------------------

def compare(expected, path, exact_max, tolerance, with_upto):
    """Prints what differs; returns how much that is. Users beyond exact_max are an estimate in the database."""
    got, differences = {}, 0
    with open(path, encoding="utf-8", newline="\n") as rows:
        for line in rows:
            fields = line.rstrip("\n").split("\t")
            if len(fields) == 7 and fields[0] != "place":
                got[tuple(fields[:3])] = [int(f) for f in fields[3:6]] + [int(fields[6]) if with_upto else 0]
    for line in expected:
        key, want = tuple(str(f) for f in line[:3]), list(line[3:])
        have = got.pop(key, None)
        close = have and want[2] > exact_max and abs(have[2] - want[2]) <= tolerance * want[2]
        if have == want or (close and have[:2] + have[3:] == want[:2] + want[3:]):
            continue
        differences += 1
        print(f"{' | '.join(key)}: wanted {want}, got {have}")
    for key, have in got.items():
        differences += 1
        print(f"{' | '.join(key)}: wanted nothing, got {have}")
    return differences


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dump", nargs="?", default="-", help="file with the dump [standard input]")
    parser.add_argument("--window", type=int, default=900, help="seconds [900]")
    parser.add_argument("--grace", type=int, default=300, help="seconds [300]")
    parser.add_argument("--skew", type=int, default=60, help="seconds [60]")
    parser.add_argument("--rekey", type=int, metavar="N", help="partitions that posts go through by their place")
    parser.add_argument("--retention", type=int, help="seconds: leave out windows that begin before the newest less this")
    parser.add_argument("--rows", help="compare with the rows in this file")
    parser.add_argument("--exact-max", type=int, default=10000, help="authors that are counted exactly [10000]")
    parser.add_argument("--tolerance", type=float, default=0.025, help="of an estimate beyond that [0.025: three sigma]")
    parser.add_argument("--summary", action="store_true", help="tell on standard error what became of the records")
    options = parser.parse_args()

    recount = Recount(options.window * 1000, options.grace * 1000, options.skew * 1000, options.rekey)
    with sys.stdin.buffer if options.dump == "-" else open(options.dump, "rb") as stream:
        for record in read_dump(stream):
            recount.take(*record)
    newest = max((start for _, start in recount.rows), default=0)
    since = newest - options.retention * 1000 if options.retention is not None else -1 << 63
    if options.summary:
        print(json.dumps(recount.fates), file=sys.stderr)
    if options.rows:
        differences = compare(recount.lines(since), options.rows, options.exact_max, options.tolerance,
                              not options.rekey)
        print(f"{len(recount.rows)} rows expected, {differences} differ", file=sys.stderr)
        return 1 if differences else 0
    sys.stdout.reconfigure(encoding="utf-8", newline="\n")
    for line in recount.lines(since):
        print(*line, sep="\t")
    return 0


if __name__ == "__main__":
    sys.exit(main())
