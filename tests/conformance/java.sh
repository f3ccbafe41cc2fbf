# Sourced by the scripts beside it, in the project's folder: Kafka Streams' side, fetched once, compiled when its
# sources have changed. Sets `java_run`, the command up to the class to run.

java_side() {
	local jars=build/conformance/jars classes=build/conformance/classes source=tests/conformance/kafka-streams
	local log=build/conformance/log
	mkdir -p build/conformance
	if [ ! -e "$jars/.complete" ] || [ "$source/pom.xml" -nt "$jars/.complete" ]; then
		mvn -q -B -f "$source/pom.xml" dependency:copy-dependencies -DincludeScope=runtime \
			-DoutputDirectory="$PWD/$jars" >"$log" 2>&1 || { tail -40 "$log" >&2; exit 1; }
		touch "$jars/.complete"
	fi
	if [ ! -e "$classes" ] || [ -n "$(find "$source/src" -newer "$classes" -name '*.java')" ]; then
		rm -rf "$classes"
		javac -nowarn -d "$classes" -cp "$jars/*" "$source"/src/main/java/conformance/*.java >"$log" 2>&1 ||
			{ tail -40 "$log" >&2; exit 1; }
		touch "$classes"
	fi
	java_run="java -XX:+UseSerialGC -Xshare:auto -XX:TieredStopAtLevel=4 -cp '$PWD/$classes:$PWD/$jars/*'"
}
