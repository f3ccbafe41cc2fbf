#!/usr/bin/env bash
# Chaos on a real cluster: Kafka, MariaDB, three `evilnet process`, posts all the time; and whatever can go wrong, does.
#
#   tests/chaos.sh --minutes N [--seed S] [--rate R] [--each N] [--kinds A,B] [--evilnet PATH] [--logs DIR]
#
#   --minutes   of load and faults [5];  --each: longer, until each kind of fault has come so many times [1]
#   --seed      chooses the faults, their targets and how long they last [by the time]; printed at the beginning
#   --rate      posts a second [2000]
#   --kinds     only these kinds of faults;  --no-endings: without the topics that are deleted at the end
#   --evilnet   the program [build/dev/evilnet];  --logs: where logs, state and dumps go [a new directory in /tmp]
#
# At the end the table in MariaDB, the committed topic of results and the dead letters are compared with a recount of
# the posts (integration/recount.py). It has services of its own (CHAOS_DIR, CHAOS_KAFKA_PORT and the 15 ports behind
# it, CHAOS_MYSQL_PORT: where [free ones]). A run that fails keeps everything, and says the seed and where it is.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

case ${1:-} in -h | --help) sed -n '2,/^set/{/^#/s/^# \{0,1\}//p}' "$0"; exit 0 ;; esac

for program in java mariadbd kcat python3; do
	PATH=$PATH:/usr/sbin command -v $program >/dev/null || { echo "chaos: $program is not installed" >&2; exit 77; }
done
port_taken() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }
free_ports() { # so many in a row
	local port i
	while :; do
		port=$((RANDOM % 10000 + 20000))
		for ((i = 0; i < $1; i++)); do port_taken $((port + i)) && continue 2; done
		echo "$port" && return
	done
}

export WEIR_TEST_DIR=${CHAOS_DIR:-$(mktemp -d /tmp/weir-chaos-services.XXXXXX)}
export WEIR_TEST_KAFKA_PORT=${CHAOS_KAFKA_PORT:-$(free_ports 16)}
export WEIR_TEST_MYSQL_PORT=${CHAOS_MYSQL_PORT:-$(free_ports 1)}
export WEIR_TEST_KAFKA_HEAP=${WEIR_TEST_KAFKA_HEAP:-512m}

# A listener for each instance, advertised as its proxy's port (tests/chaos/proxy.py), so that its network can be cut.
listeners=PLAINTEXT://127.0.0.1:$WEIR_TEST_KAFKA_PORT,CONTROLLER://127.0.0.1:$((WEIR_TEST_KAFKA_PORT + 1))
advertised=PLAINTEXT://127.0.0.1:$WEIR_TEST_KAFKA_PORT
protocols=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
for i in 1 2 3 4; do
	listeners+=,I$i://127.0.0.1:$((WEIR_TEST_KAFKA_PORT + 1 + i))
	advertised+=,I$i://127.0.0.1:$((WEIR_TEST_KAFKA_PORT + 10 + i))
	protocols+=,I$i:PLAINTEXT
done
# The broker reaches itself through a proxy that waits for it. A single node that starts sends the markers of commits
# that its end has cut off before it listens; where that is refused it tries again at a moment at which no partition
# has a leader, takes them for deleted and the commit for complete, and nobody can read beyond it any more.
listeners+=,INTERNAL://127.0.0.1:$((WEIR_TEST_KAFKA_PORT + 6))
advertised+=,INTERNAL://127.0.0.1:$((WEIR_TEST_KAFKA_PORT + 15))
protocols+=,INTERNAL:PLAINTEXT
export WEIR_TEST_KAFKA_PROPERTIES="listeners=$listeners advertised.listeners=$advertised \
listener.security.protocol.map=$protocols inter.broker.listener.name=INTERNAL controlled.shutdown.enable=false \
log.retention.check.interval.ms=1000"

finish() {
	local code=$?
	trap - EXIT
	tests/services.sh stop 2>/dev/null || true
	if [ $code = 0 ]; then
		rm -rf "$WEIR_TEST_DIR"
	else
		echo "chaos: logs of the services: $WEIR_TEST_DIR" >&2
	fi
	exit $code
}
trap finish EXIT
trap 'exit 130' INT TERM

exports=$(tests/services.sh start)
eval "$exports"
python3 tests/chaos/run.py "$@"
