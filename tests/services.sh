#!/usr/bin/env bash
# The real services that the slow tests run against: Apache Kafka (KRaft, one node) and MariaDB.
#
#   services.sh start [kafka|mysql]   starts what is not running and prints `export NAME=value` lines for the tests
#   services.sh stop [kafka|mysql]    stops what this script started, by its saved pid
#   services.sh kill [kafka|mysql]    the same by SIGKILL, for the tests that want a crash; data stays
#   services.sh status [kafka|mysql]  says what runs (exit code 1 when one does not), and prints the exports
#   services.sh wipe [kafka|mysql]    removes data and logs of what is stopped
#
# Use: eval "$(tests/services.sh start)"
# Environment:
#   WEIR_TEST_DIR                 data, logs and pids [/tmp/weir-tests]; a directory for each set of services
#   WEIR_TEST_KAFKA_PORT          [19092]; the controller takes the port after it
#   WEIR_TEST_MYSQL_PORT          [13306]
#   WEIR_TEST_KAFKA_HEAP          [512m]
#   WEIR_TEST_KAFKA_PROPERTIES    more broker properties, separated by spaces: "log.retention.check.interval.ms=1000"
# Nothing is installed by it: it needs java, mvn (once, for the broker's jars) and mariadbd; deploy/packages.txt names the packages.
set -uo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
dir=${WEIR_TEST_DIR:-/tmp/weir-tests}
kafka_port=${WEIR_TEST_KAFKA_PORT:-19092}
mysql_port=${WEIR_TEST_MYSQL_PORT:-13306}
kafka=$dir/kafka
mysql=$dir/mysql
version=$(sed -n 's:.*<kafka.version>\(.*\)</kafka.version>.*:\1:p' "$here/kafka/pom.xml")
jars=${XDG_CACHE_HOME:-$HOME/.cache}/weir/kafka-$version

say() { echo "services: $*" >&2; }
fail() { say "$*"; exit 1; }

# The saved pid, when it still is the process that was started: its command line names its own directory.
pid_of() {
	local pid
	pid=$(cat "$dir/$1/pid" 2>/dev/null) && [ -n "$pid" ] && kill -0 "$pid" 2>/dev/null || return 1
	tr '\0' '\n' <"/proc/$pid/cmdline" 2>/dev/null | grep -qF "$dir/$1/" && echo "$pid"
}

port_taken() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# wait_for SERVICE SECONDS COMMAND...: until the command succeeds; fails when the process is gone before. (Only its pid
# tells: for a moment it has the command line of this script.)
wait_for() {
	local name=$1 deadline=$((SECONDS + $2))
	shift 2
	until "$@" >/dev/null 2>&1; do
		kill -0 "$(cat "$dir/$name/pid")" 2>/dev/null || { tail -20 "$dir/$name/log" >&2; fail "$name ended while starting ($dir/$name/log)"; }
		[ $SECONDS -lt $deadline ] || { tail -20 "$dir/$name/log" >&2; fail "$name does not answer ($dir/$name/log)"; }
		sleep 0.1
	done
}

# exports SERVICE NAME=value...: what a test needs to use the service, and to stop and start it with this script
exports() {
	local to=$dir/$1/exports
	shift
	printf 'export %q\n' WEIR_TEST_DIR="$dir" "$@" >"$to"
}

kafka_jars() {
	[ -e "$jars/.complete" ] && return
	mkdir -p "$jars"
	exec 9>"$jars/.lock"
	flock 9
	[ -e "$jars/.complete" ] && { exec 9>&-; return; }
	command -v mvn >/dev/null || fail "mvn is not installed (it fetches the broker's jars)"
	say "fetching Apache Kafka $version"
	mvn -q -B -f "$here/kafka/pom.xml" dependency:copy-dependencies -DincludeScope=runtime -DoutputDirectory="$jars" \
		>"$jars/log" 2>&1 || { tail -20 "$jars/log" >&2; fail "mvn could not fetch the broker's jars"; }
	touch "$jars/.complete"
	exec 9>&-
}

# As stock as one node can be: only replication factors, ports and what costs a test its time differ (a killed broker
# may register again only when its old session is over).
kafka_properties() {
	cat <<-P
	process.roles=broker,controller
	node.id=1
	controller.quorum.voters=1@127.0.0.1:$((kafka_port + 1))
	listeners=PLAINTEXT://127.0.0.1:$kafka_port,CONTROLLER://127.0.0.1:$((kafka_port + 1))
	advertised.listeners=PLAINTEXT://127.0.0.1:$kafka_port
	controller.listener.names=CONTROLLER
	listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
	log.dirs=$kafka/data
	offsets.topic.replication.factor=1
	offsets.topic.num.partitions=4
	transaction.state.log.replication.factor=1
	transaction.state.log.min.isr=1
	transaction.state.log.num.partitions=4
	share.coordinator.state.topic.replication.factor=1
	share.coordinator.state.topic.min.isr=1
	share.coordinator.state.topic.num.partitions=4
	group.initial.rebalance.delay.ms=0
	broker.session.timeout.ms=3000
	broker.heartbeat.interval.ms=500
	P
	local property
	for property in ${WEIR_TEST_KAFKA_PROPERTIES:-}; do echo "$property"; done
}

kafka_started() { grep -q 'Kafka Server started' "$kafka/log"; }

start_kafka() {
	pid_of kafka >/dev/null && return
	command -v java >/dev/null || fail "java is not installed"
	port_taken "$kafka_port" && fail "something else listens on 127.0.0.1:$kafka_port"
	kafka_jars
	mkdir -p "$kafka/data"
	kafka_properties >"$kafka/server.properties"
	local run=(java -Dlog4j2.configurationFile="$here/kafka/log4j2.xml" -cp "$jars/*")
	if [ ! -e "$kafka/data/meta.properties" ]; then
		"${run[@]}" kafka.tools.StorageTool format -t "$("${run[@]}" kafka.tools.StorageTool random-uuid | tail -1)" \
			-c "$kafka/server.properties" >"$kafka/format.log" 2>&1 || { cat "$kafka/format.log" >&2; fail "kafka: format"; }
	fi
	[ -e "$kafka/log" ] && mv "$kafka/log" "$kafka/log.before"
	setsid nohup java -Xmx"${WEIR_TEST_KAFKA_HEAP:-512m}" "${run[@]:1}" kafka.Kafka "$kafka/server.properties" \
		>"$kafka/log" 2>&1 </dev/null 9>&- &
	echo $! >"$kafka/pid"
	wait_for kafka 90 kafka_started
	exports kafka WEIR_TEST_BOOTSTRAP="127.0.0.1:$kafka_port" WEIR_TEST_KAFKA_PORT="$kafka_port" \
		WEIR_TEST_KAFKA_PROPERTIES="${WEIR_TEST_KAFKA_PROPERTIES:-}"
	say "kafka runs, pid $(cat "$kafka/pid"), 127.0.0.1:$kafka_port"
}

mysql_answers() { mariadb --no-defaults --socket="$mysql/socket" --user=root -e "select 1"; }

start_mysql() {
	pid_of mysql >/dev/null && return
	local daemon
	daemon=$(command -v mariadbd || PATH=$PATH:/usr/sbin command -v mariadbd) || fail "mariadbd is not installed"
	[ ${#mysql} -lt 95 ] || fail "$mysql/socket is too long for a socket's path: set WEIR_TEST_DIR"
	port_taken "$mysql_port" && fail "something else listens on 127.0.0.1:$mysql_port"
	mkdir -p "$mysql"
	if [ ! -e "$mysql/data/mysql" ]; then
		rm -rf "$mysql/data"
		mariadb-install-db --no-defaults --datadir="$mysql/data" --user="$(id -un)" --skip-test-db --skip-name-resolve \
			--auth-root-authentication-method=normal >"$mysql/install.log" 2>&1 || { tail -20 "$mysql/install.log" >&2; fail "mysql: install"; }
	fi
	setsid nohup "$daemon" --no-defaults --user="$(id -un)" --datadir="$mysql/data" --socket="$mysql/socket" --port="$mysql_port" \
		--bind-address=127.0.0.1 --pid-file="$mysql/data/server.pid" --skip-name-resolve --innodb-buffer-pool-size=64M \
		>"$mysql/log" 2>&1 </dev/null &
	echo $! >"$mysql/pid"
	wait_for mysql 60 mysql_answers
	exports mysql WEIR_TEST_MYSQL_SOCKET="$mysql/socket" WEIR_TEST_MYSQL_PORT="$mysql_port"
	say "mysql runs, pid $(cat "$mysql/pid"), $mysql/socket"
}

# signal_service SIGNAL SERVICE: sends it and waits for the end; a polite stop that takes too long becomes SIGKILL
signal_service() {
	local pid i
	pid=$(pid_of "$2") || { rm -f "$dir/$2/pid"; return 0; }
	kill "-$1" "$pid" 2>/dev/null
	for i in $(seq 300); do
		kill -0 "$pid" 2>/dev/null || break
		[ "$i" -lt 290 ] || kill -KILL "$pid" 2>/dev/null
		sleep 0.1
	done
	rm -f "$dir/$2/pid"
	say "$2 ended (SIG$1, pid $pid)"
}

usage() { sed -n '2,/^set/{/^#/s/^# \{0,1\}//p}' "$0"; }

command=${1:-}
shift $(($# > 0))
[ $# -gt 0 ] || set -- kafka mysql
for service; do
	case $service in kafka | mysql) ;; *) usage >&2; exit 2 ;; esac
done
case $command in
start) for service; do "start_$service"; cat "$dir/$service/exports"; done ;;
stop) for service; do signal_service TERM "$service"; done ;;
kill) for service; do signal_service KILL "$service"; done ;;
status)
	result=0
	for service; do
		if pid=$(pid_of "$service"); then
			say "$service runs, pid $pid"
			cat "$dir/$service/exports"
		else
			say "$service does not run"
			result=1
		fi
	done
	exit $result
	;;
wipe)
	for service; do
		pid_of "$service" >/dev/null && fail "$service runs: stop it first"
		rm -rf "${dir:?}/$service"
	done
	;;
-h | --help | help) usage ;;
*) usage >&2; exit 2 ;;
esac
