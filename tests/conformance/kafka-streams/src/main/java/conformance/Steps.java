package conformance;

import static conformance.Functions.text;

import conformance.Case.Step;
import conformance.Graph.Keys;
import conformance.Graph.Node;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.streams.KeyValue;
import org.apache.kafka.streams.kstream.Branched;
import org.apache.kafka.streams.kstream.BranchedKStream;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.KStream;
import org.apache.kafka.streams.kstream.Named;
import org.apache.kafka.streams.kstream.Predicate;
import org.apache.kafka.streams.kstream.Repartitioned;
import org.apache.kafka.streams.processor.StreamPartitioner;

/** What a line of a case builds, by its first word: the same names as in tests/conformance/steps.c. */
class Steps {
	interface Builder {
		/** The step's result, which later lines call by its name; null = nothing. */
		Node build(Graph g, Step s);
	}

	private static final Map<String, Builder> BUILDERS = new HashMap<>();

	static void register(String op, Builder builder) {
		BUILDERS.put(op, builder);
	}

	static void build(Graph g, Step s) {
		Builder builder = BUILDERS.get(s.op());
		if (builder == null)
			throw new IllegalArgumentException("no operator \"" + s.op() + "\"");
		Node made = builder.build(g, s);
		if (made != null)
			g.put(s.name(), made);
	}

	static {
		registerStreams();
		Windows.register();
		Tables.register();
		Joins.register();
		Processors.register();
		Versions.register();
		SerdeSteps.register();
		Failing.register();
	}

	private static Predicate<Object, Object> predicate(String name) {
		Functions.Predicate p = Functions.predicate(name);
		return (k, v) -> p.test(text(k), text(v));
	}

	/* --- streams ---------------------------------------------------------------------------------------- */

	private static Serde<Object> values(Step s) {
		return switch (s.option("values", "")) {
		case "numbers" -> Graph.NUMBER;
		case "void" -> SerdeSteps.VOID;
		default -> Graph.TEXT;
		};
	}

	private static Consumed<Object, Object> consumed(Step s) {
		Consumed<Object, Object> c = Consumed.with(Graph.TEXT, values(s));
		long before = s.number("time-from-value");
		if (before > 0) /* a number in the value is the time after that; else the record's own; "d" turns away */
			c = c.withTimestampExtractor((r, partitionTime) -> {
				String v = text(r.value());
				if ("d".equals(v))
					return s.option("guess", null) != null ? partitionTime : -1;
				return v != null && v.matches("[0-9]+") ? before + Long.parseLong(v) : r.timestamp();
			});
		return c;
	}

	private static void registerStreams() {
		register("source", (g, s) -> new Node(
				s.options().containsKey("pattern")
						? g.builder.stream(Pattern.compile(s.option("pattern", "")), consumed(s))
						: s.options().containsKey("and")
						? g.builder.stream(List.of(s.option("topic", s.name()), s.option("and", "")), consumed(s))
						: g.builder.stream(s.option("topic", s.name()), consumed(s)),
				Keys.TEXT, 0, values(s)));
		register("filter", (g, s) -> g.input(s)
				.with(g.input(s).stream().filter(predicate(s.fn()), Named.as(s.name()))));
		register("filter-not", (g, s) -> g.input(s).with(g.input(s).stream().filterNot(predicate(s.fn()))));
		register("map", (g, s) -> {
			Functions.Mapper key = Functions.mapper(s.option("key", "key"));
			Functions.Mapper value = Functions.mapper(s.option("value", "same"));
			return new Node(g.input(s).stream().map((k, v) -> KeyValue.<Object, Object>pair(key.map(text(k), text(v)),
					value.map(text(k), text(v)))), Keys.TEXT, 0, Graph.TEXT);
		});
		register("map-values", (g, s) -> {
			Functions.Mapper f = Functions.mapper(s.fn());
			return g.input(s).with(g.input(s).stream().mapValues((k, v) -> (Object) f.map(text(k), text(v)),
					Named.as(s.name())), Graph.TEXT);
		});
		register("flat-map", (g, s) -> new Node(
				g.input(s).stream()
						.flatMap((k, v) -> Functions.many(s.fn(), text(v)).stream()
								.map(x -> KeyValue.<Object, Object>pair(x, text(v))).collect(Collectors.toList())),
				Keys.TEXT, 0, Graph.TEXT));
		register("flat-map-values", (g, s) -> g.input(s).with(g.input(s).stream()
				.flatMapValues(v -> Functions.many(s.fn(), text(v)).stream().map(x -> (Object) x).toList()), Graph.TEXT));
		register("key-by", (g, s) -> {
			Functions.Mapper f = Functions.mapper(s.fn());
			return new Node(g.input(s).stream().selectKey((k, v) -> (Object) f.map(text(k), text(v))), Keys.TEXT, 0,
					g.input(s).values());
		});
		register("merge", (g, s) -> g.input(s).with(g.input(s, 0).stream().merge(g.input(s, 1).stream())));
		register("branch", Steps::branch);
		register("peek", (g, s) -> g.input(s).with(g.input(s).stream().peek(
				(k, v) -> g.trace.line("peek " + s.name() + " " + Trace.text(text(k)) + " " + Trace.text(text(v))))));
		register("for-each", (g, s) -> {
			g.input(s).stream().foreach((k, v) -> g.trace
					.line("peek " + s.name() + " " + Trace.text(text(k)) + " " + Trace.text(text(v))));
			return null;
		});
		register("repartition", (g, s) -> g.input(s).with(g.input(s).stream().repartition(Repartitioned
				.<Object, Object>as(s.name()).withKeySerde(Graph.TEXT).withValueSerde(g.input(s).values()))));
		register("to-stream", (g, s) -> g.input(s).with(g.input(s).table().toStream()));
		register("sink", Steps::sink);
	}

	private static Node branch(Graph g, Step s) {
		BranchedKStream<Object, Object> split = g.input(s).stream().split(Named.as(s.name() + "-"));
		for (Map.Entry<String, String> e : s.options().entrySet())
			if (!e.getKey().equals("default"))
				split = split.branch(predicate(e.getValue()), Branched.as(e.getKey()));
		String rest = s.options().get("default");
		Map<String, KStream<Object, Object>> made = rest == null ? split.noDefaultBranch()
				: split.defaultBranch(Branched.as(rest));
		made.forEach((name, stream) -> g.put(name.substring(s.name().length() + 1), g.input(s).with(stream)));
		return null;
	}

	/** One partition or none: a topic has no more here. */
	private static class PartitionIf implements StreamPartitioner<Object, Object> {
		private final Functions.Predicate p;

		PartitionIf(String name) {
			p = Functions.predicate(name);
		}

		@Override
		public Optional<Set<Integer>> partitions(String topic, Object k, Object v, int numPartitions) {
			return Optional.of(p.test(text(k), text(v)) ? Set.of(0) : Set.of());
		}
	}

	private static Node sink(Graph g, Step s) {
		Node in = g.input(s);
		KStream<Object, Object> stream = in.isTable() ? in.table().toStream() : in.stream();
		if (s.options().containsKey("route")) {
			Functions.Predicate p = Functions.predicate(s.option("route", ""));
			stream.to((k, v, context) -> p.test(text(k), text(v)) ? s.name() : s.option("else", s.name()),
					Graph.produced(in));
		} else {
			stream.to(s.option("topic", s.name()),
					s.options().containsKey("partition-if")
							? Graph.produced(in).withStreamPartitioner(new PartitionIf(s.option("partition-if", "")))
							: Graph.produced(in));
		}
		return null;
	}
}
