"""changelogs.py CASE APPLICATION DUMP APPLICATION DUMP: compares the last records of all keys, Kafka Streams' first.

A dump has lines "TOPIC PARTITION KEY VALUE TIMESTAMP", as Tool writes them. A key whose last record deletes it is as
one that never was there. Exit code 1, and the first differences, if there are some.
"""
import sys


def last_records(application, path):
    found = {}
    for line in open(path):
        topic, partition, key, value, ms = line.split()
        found[topic[len(application) + 1:], partition, key] = (value, ms)
    return {k: v for k, v in found.items() if v[0] != "~"}


def main():
    case, theirs, ours = sys.argv[1], last_records(*sys.argv[2:4]), last_records(*sys.argv[4:6])
    wrong = sorted(k for k in theirs.keys() | ours.keys() if theirs.get(k) != ours.get(k))
    topics = {k[0] for k in theirs}
    print(f"{case}: {len(topics)} changelogs, {len(theirs)} keys, {len(wrong)} differ")
    for k in wrong[:5]:
        print(f"  {' '.join(k)}: Kafka Streams {theirs.get(k)}, weir {ours.get(k)}")
    return 1 if wrong or not theirs else 0


if __name__ == "__main__":
    sys.exit(main())
