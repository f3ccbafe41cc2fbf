#!/usr/bin/env bash
# Whether docs/kafka-streams-api.md names all of Kafka Streams' public interface, and nothing of weir's that is not there.
#
#   tests/conformance/api_table.sh
#
# Kafka Streams' side is asked of javap (a JDK and Maven: deploy/packages.sh conformance): each public class outside
# `internals`, each public method of it, must stand somewhere between backquotes; of processor.assignment, which has no
# counterpart as a whole, the classes alone. Weir's side: each weir_... and WEIR_... of the table is in a public header,
# or a metric.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
source tests/conformance/java.sh
table=docs/kafka-streams-api.md
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

java_side
jars=$(echo build/conformance/jars/kafka-streams-[0-9]*.jar build/conformance/jars/kafka-streams-test-utils-*.jar)
for jar in $jars; do
	jar tf "$jar" | grep '^org/apache/kafka/streams/.*\.class$'
done | grep -vE '/internals?/|\$[0-9]' | sed 's/\.class$//; s,/,.,g' >"$work/classes"
xargs javap -public -cp "${jars// /:}" <"$work/classes" >"$work/javap"

# "Class member", a line each; a class itself is its own member.
awk '
	/^([a-z]+ )*(class|interface|enum) / {
		match($0, /(class|interface|enum) [A-Za-z0-9_.$]+/)
		full = substr($0, RSTART, RLENGTH); sub(/^[a-z]+ /, "", full)
		n = split(full, part, /[.$]/); class = $0 ~ /^public/ ? part[n] : ""
		assignment = full ~ /processor\.assignment/
		if (class && !(assignment && class == "Type")) print class, class
		next
	}
	class && !assignment && /^  public .*\(/ {
		head = substr($0, 1, index($0, "(") - 1); n = split(head, part, /[ .$]/); name = part[n]
		if (name != class && name !~ /^(toString|equals|hashCode|values|valueOf|compareTo|clone)$/) print class, name
	}' "$work/javap" | sort -u >"$work/members"

grep -o '`[^`]*`' "$table" | grep -oE '[A-Za-z_][A-Za-z0-9_]*' | sort -u >"$work/named"
awk 'NR == FNR { named[$1]; next } !($2 in named) { print "not in the table: " $1 "." $2 }' "$work/named" "$work/members" >"$work/findings"

# Codes of errors stand in a list of their own, metrics in a table of docs.
{ grep -ohE '\b(weir|WEIR)_[A-Za-z0-9_]+' framework/include/weir/*.h docs/metrics.md
  sed -n 's/^\tX(\([A-Z_]*\),.*/WEIR_\1/p' framework/include/weir/error.h; } | sort -u >"$work/there"
grep -E '^(weir|WEIR)_.*[^_]$' "$work/named" | comm -23 - "$work/there" | sed 's/^/in the table, and in no header: /' >>"$work/findings"

cat "$work/findings"
echo "$(cut -d' ' -f1 "$work/members" | sort -u | wc -l) classes, $(wc -l <"$work/members") names, $(wc -l <"$work/findings") findings"
[ ! -s "$work/findings" ] && [ "$(wc -l <"$work/members")" -gt 900 ]
