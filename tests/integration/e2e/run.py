#!/usr/bin/env python3
"""EvilNet from end to end, against a real Kafka and a real MariaDB.

    eval "$(tests/services.sh start)"
    tests/integration/e2e/run.py [--evilnet build/dev/evilnet] [--logs DIR] [--keep] SCENARIO...
    tests/integration/e2e/run.py --list

Each scenario has topics, an application.id, a database and a state.dir of its own. What must come out is counted again by
recount.py, which shares nothing with weir. Exit codes: 0 all passed, 1 one has failed (its logs are kept, the
directory is named), 77 there is no service to test against.
"""
import argparse
import os
import sys
import tempfile
import time
import traceback

sys.dont_write_bytecode = True
import harness  # noqa: E402
import commands  # noqa: E402
import counts  # noqa: E402
import failures  # noqa: E402
import keeping  # noqa: E402
import measures  # noqa: E402
import repair  # noqa: E402

SCENARIOS = {name: function for module in (commands, counts, failures, keeping, measures, repair)
             for name, function in module.SCENARIOS.items()}
SKIPPED = 77


def run_one(name, options):
    case = harness.Case(name, os.path.abspath(options.evilnet), options.logs)
    begin = time.monotonic()
    print(f"{name}: {SCENARIOS[name].__doc__.splitlines()[0]}", flush=True)
    result = 1
    try:
        SCENARIOS[name](case)
        print(f"{name}: passed in {time.monotonic() - begin:.1f} s", flush=True)
        case.end()
        if not options.keep:
            case.tidy()
        result = 0
    except harness.Skipped as e:
        result = SKIPPED
        print(f"{name}: skipped: {e}")
    except harness.Failed as e:
        print(f"{name}: FAILED: {e}")
    except Exception:  # pylint: disable=broad-except
        traceback.print_exc(file=sys.stdout)
        print(f"{name}: FAILED")
    case.end()
    if result == 1:
        print(f"{name}: logs: {case.dir}", flush=True)
    elif result == SKIPPED:
        case.remove()
    return result


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scenario", nargs="*", metavar="SCENARIO", help="all, if none is named")
    parser.add_argument("--evilnet", default=os.path.join(harness.TESTS, "..", "build", "dev", "evilnet"))
    parser.add_argument("--logs", help="where logs, state and dumps go [a new directory in /tmp]")
    parser.add_argument("--keep", action="store_true", help="keep them also where all went well")
    parser.add_argument("--list", action="store_true", help="name the scenarios")
    parser.add_argument("--names", action="store_true", help="the same, their names alone")
    options = parser.parse_args()
    if options.names:
        print("\n".join(SCENARIOS))
        return 0
    if options.list:
        for name, function in SCENARIOS.items():
            print(f"{name:24} {function.__doc__.splitlines()[0]}")
        return 0
    unknown = [s for s in options.scenario if s not in SCENARIOS]
    if unknown:
        parser.error(f"no scenario {', '.join(unknown)}; there are {', '.join(SCENARIOS)}")
    options.logs = options.logs or tempfile.mkdtemp(prefix="evilnet-e2e-")
    results = [run_one(name, options) for name in options.scenario or SCENARIOS]
    if not os.listdir(options.logs):
        os.rmdir(options.logs)
    if 1 in results:
        return 1
    return SKIPPED if results and all(r == SKIPPED for r in results) else 0


if __name__ == "__main__":
    sys.exit(main())
