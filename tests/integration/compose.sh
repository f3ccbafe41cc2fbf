#!/usr/bin/env bash
# EvilNet in containers, by deploy/compose.host.yaml against a Kafka and a MariaDB of its own: three replicas of process, one
# and then all of them killed under load and started again. In the end the rows equal a recount of the topic, to the row.
#
#   tests/integration/compose.sh
#
# Exit code 77 (skipped) where there is no Docker that could do it. COMPOSE_KEEP=1 leaves everything running at the end.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

say() { printf 'compose: %3d s: %s\n' $SECONDS "$*" >&2; }
skip() { say "skipped: $*"; exit 77; }

command -v docker >/dev/null && docker info >/dev/null 2>&1 || skip "no Docker"
if docker compose version >/dev/null 2>&1; then compose=(docker compose)
elif command -v docker-compose >/dev/null; then compose=(docker-compose)
else skip "neither docker compose nor docker-compose"; fi
for program in kcat mariadb python3 java; do
	command -v "$program" >/dev/null || skip "no $program"
done
base=$(sed -n 's/^ARG BASE=//p' deploy/Dockerfile)
docker image inspect "$base" >/dev/null 2>&1 || docker pull -q "$base" >/dev/null 2>&1 || skip "no image $base"

port_taken() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }
free_port() {
	local port
	while port=$((RANDOM % 10000 + 20000)); port_taken "$port" || port_taken $((port + 1)); do :; done
	echo "$port"
}

unset WEIR_TEST_BOOTSTRAP WEIR_TEST_MYSQL_SOCKET
WEIR_TEST_DIR=$(mktemp -d /tmp/weir-compose.XXXXXX)
export WEIR_TEST_DIR WEIR_TEST_KAFKA_PORT=$(free_port) WEIR_TEST_MYSQL_PORT=$(free_port) WEIR_TEST_KAFKA_PROPERTIES=
export EVILNET_IMAGE=weir-test-evilnet EVILNET_SECRETS=$WEIR_TEST_DIR/secrets EVILNET_RATE=300 EVILNET_PORT=$(free_port)
export EVILNET_BOOTSTRAP=127.0.0.1:$WEIR_TEST_KAFKA_PORT EVILNET_MYSQL_HOST=127.0.0.1 EVILNET_MYSQL_PORT=$WEIR_TEST_MYSQL_PORT
compose+=(-p "weir-test-$$" -f deploy/compose.host.yaml)

finish() {
	local code=$?
	trap - EXIT
	if [ -n "${COMPOSE_KEEP:-}" ]; then
		say "left running: ${compose[*]}; WEIR_TEST_DIR=$WEIR_TEST_DIR tests/services.sh stop"
		exit $code
	fi
	[ $code = 0 ] || "${compose[@]}" logs --tail 40 >&2 || true
	"${compose[@]}" down -v -t 20 >"$WEIR_TEST_DIR/down.log" 2>&1 || cat "$WEIR_TEST_DIR/down.log" >&2
	tests/services.sh stop 2>/dev/null || true
	if [ $code = 0 ]; then rm -rf "$WEIR_TEST_DIR"; else say "logs of the services: $WEIR_TEST_DIR"; fi
	exit $code
}
trap finish EXIT
trap 'exit 130' INT TERM

sql() { mariadb --no-defaults --socket="$WEIR_TEST_DIR/mysql/socket" --user=root --default-character-set=utf8mb4 -B -N -e "$1"; }
up() { "${compose[@]}" up -d --scale process=3 "$@" >>"$WEIR_TEST_DIR/up.log" 2>&1 || { tail -40 "$WEIR_TEST_DIR/up.log" >&2; exit 1; }; }
replicas() { "${compose[@]}" ps -q process; }
rows_written() { sql "select coalesce(sum(tweets), 0) from evilnet.city_windows" 2>/dev/null || echo 0; }

# wait_for SECONDS WHAT COMMAND...: until it succeeds
wait_for() {
	local deadline=$((SECONDS + $1)) what=$2
	shift 2
	until "$@"; do
		[ $SECONDS -lt $deadline ] || { say "in vain: $what"; exit 1; }
		sleep 0.2
	done
	say "$what"
}
counts_above() { [ "$(rows_written)" -gt "$1" ]; }

remember() { sql "create or replace table evilnet.remembered as select partition_id, next_offset from evilnet.sink_offsets"; }
# Results of each partition have been written since.
all_go_on() {
	[ "$(sql "select count(*) from evilnet.sink_offsets s join evilnet.remembered r using (partition_id)
		where s.next_offset > r.next_offset")" = 6 ]
}

rows_equal() {
	kcat -C -b "$EVILNET_BOOTSTRAP" -t evilnet.posts -e -q -f '%p %o %T %K %S %h\n%k%s\n' >"$WEIR_TEST_DIR/dump"
	sql "select place, window_start, window_seconds, tweets, retweets, users, upto from evilnet.city_windows" >"$WEIR_TEST_DIR/rows"
	python3 tests/integration/recount.py --summary --rows "$WEIR_TEST_DIR/rows" "$WEIR_TEST_DIR/dump" \
		>"$WEIR_TEST_DIR/difference" 2>"$WEIR_TEST_DIR/summary"
}

say "services"
tests/services.sh start >"$WEIR_TEST_DIR/exports" 2>"$WEIR_TEST_DIR/services.log" || { cat "$WEIR_TEST_DIR/services.log" >&2; exit 1; }
mkdir "$EVILNET_SECRETS"
chmod 755 "$WEIR_TEST_DIR"
echo "p$RANDOM$RANDOM" >"$EVILNET_SECRETS/mysql-password"
sql "create user evilnet@'%' identified by '$(cat "$EVILNET_SECRETS/mysql-password")'; grant all on evilnet.* to evilnet@'%'"

say "image"
"${compose[@]}" build process >"$WEIR_TEST_DIR/build.log" 2>&1 || { tail -40 "$WEIR_TEST_DIR/build.log" >&2; exit 1; }
up
wait_for 60 "counting" counts_above 1000
wait_for 20 "the dashboard answers" curl -sf -o /dev/null "http://127.0.0.1:$EVILNET_PORT/readyz"

all=$(replicas)
docker kill -s KILL "${all%%$'\n'*}" >/dev/null
remember
sleep 1
up
wait_for 40 "one was killed and is back: all partitions go on" all_go_on

replicas | xargs docker kill -s KILL >/dev/null
remember
sleep 1
up
wait_for 40 "all were killed and are back: all partitions go on" all_go_on

before=$(rows_written)
wait_for 30 "counting" counts_above $((before + 2000))
"${compose[@]}" stop -t 20 ingest >>"$WEIR_TEST_DIR/up.log" 2>&1
wait_for 60 "rows equal the recount" rows_equal
cat "$WEIR_TEST_DIR/summary" >&2
[ "$(wc -l <"$WEIR_TEST_DIR/rows")" -gt 100 ] || { say "only $(wc -l <"$WEIR_TEST_DIR/rows") rows: too few to tell"; exit 1; }
[ ! -s "$WEIR_TEST_DIR/difference" ]
