package conformance;

import static conformance.Functions.text;

import conformance.Case.Step;
import conformance.Graph.Keys;
import conformance.Graph.Node;
import java.nio.ByteBuffer;
import java.time.Duration;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.streams.kstream.Aggregator;
import org.apache.kafka.streams.kstream.CogroupedKStream;
import org.apache.kafka.streams.kstream.EmitStrategy;
import org.apache.kafka.streams.kstream.Grouped;
import org.apache.kafka.streams.kstream.KGroupedStream;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.Merger;
import org.apache.kafka.streams.kstream.Reducer;
import org.apache.kafka.streams.kstream.SessionWindowedKStream;
import org.apache.kafka.streams.kstream.SessionWindows;
import org.apache.kafka.streams.kstream.SlidingWindows;
import org.apache.kafka.streams.kstream.Suppressed;
import org.apache.kafka.streams.kstream.TimeWindowedKStream;
import org.apache.kafka.streams.kstream.TimeWindows;
import org.apache.kafka.streams.kstream.UnlimitedWindows;
import org.apache.kafka.streams.processor.StateStore;

/** Aggregates, plain and in windows; the same names as in tests/conformance/windows.c. */
class Windows {
	static Duration ms(Step s, String option) {
		return Duration.ofMillis(s.number(option));
	}

	static TimeWindows timeWindows(Step s) {
		TimeWindows w = TimeWindows.ofSizeAndGrace(ms(s, "size"), ms(s, "grace"));
		return s.number("advance") > 0 ? w.advanceBy(ms(s, "advance")) : w;
	}

	static SlidingWindows slidingWindows(Step s) {
		return SlidingWindows.ofTimeDifferenceAndGrace(ms(s, "difference"), ms(s, "grace"));
	}

	static SessionWindows sessionWindows(Step s) {
		return SessionWindows.ofInactivityGapAndGrace(ms(s, "gap"), ms(s, "grace"));
	}

	static UnlimitedWindows unlimitedWindows(Step s) {
		return UnlimitedWindows.of().startOn(java.time.Instant.ofEpochMilli(s.number("start")));
	}

	static boolean isSession(Step s) {
		return s.number("gap") > 0;
	}

	static boolean isUnlimited(Step s) {
		return s.number("unlimited") > 0;
	}

	static boolean isPlain(Step s) {
		return s.number("size") + s.number("gap") + s.number("difference") + s.number("unlimited") == 0;
	}

	private static EmitStrategy emit(Step s) {
		return s.option("emit", "update").equals("close") ? EmitStrategy.onWindowClose()
				: EmitStrategy.onWindowUpdate();
	}

	private static KGroupedStream<Object, Object> grouped(Graph g, Step s) {
		return g.input(s).stream().groupByKey(Graph.grouped(s, g.input(s)));
	}

	private static SessionWindowedKStream<Object, Object> sessions(Graph g, Step s) {
		return grouped(g, s).windowedBy(sessionWindows(s)).emitStrategy(emit(s));
	}

	private static TimeWindowedKStream<Object, Object> windows(Graph g, Step s) {
		KGroupedStream<Object, Object> in = grouped(g, s);
		if (isUnlimited(s))
			return in.windowedBy(unlimitedWindows(s));
		return (s.number("size") > 0 ? in.windowedBy(timeWindows(s)) : in.windowedBy(slidingWindows(s)))
				.emitStrategy(emit(s));
	}

	static Node aggregated(Step s, Object table, Serde<Object> values) {
		if (isPlain(s))
			return new Node(table, Keys.TEXT, 0, values);
		if (isSession(s))
			return new Node(table, Keys.SESSION, 0, values);
		long size = isUnlimited(s) ? Long.MAX_VALUE : s.number("size") + s.number("difference");
		return new Node(table, Keys.WINDOWED, size, values);
	}

	/** count() wants its type by name. */
	@SuppressWarnings({ "unchecked", "rawtypes" })
	static <S extends StateStore> Materialized<Object, Long, S> number(Materialized<Object, Object, S> m) {
		return (Materialized) m;
	}

	static Aggregator<Object, Object, Object> folder(String name) {
		Functions.Folder f = Functions.folder(name);
		return (k, v, a) -> f.fold(text(k), text(v), text(a));
	}

	/** Aggregates begin with null; what they hold, on either side, goes on as it is. */
	static Merger<Object, Object> merger(Step s) {
		Functions.Joiner f = Functions.reducer(s.option("merge", ""));
		return (k, a, b) -> a == null ? b : b == null ? a : f.join(text(k), text(a), text(b));
	}

	private static Node count(Graph g, Step s) {
		Object table = isPlain(s) ? grouped(g, s).count(number(Graph.keyValueStore(s, Graph.TEXT, Graph.NUMBER)))
				: isSession(s) ? sessions(g, s).count(number(Graph.sessionStore(s, Graph.NUMBER)))
						: windows(g, s).count(number(Graph.windowStore(s, Graph.NUMBER)));
		return aggregated(s, table, Graph.NUMBER);
	}

	private static Node reduce(Graph g, Step s) {
		Functions.Joiner f = Functions.reducer(s.fn());
		Reducer<Object> reducer = (a, v) -> f.join(null, text(a), text(v));
		Object table = isPlain(s) ? grouped(g, s).reduce(reducer, Graph.keyValueStore(s, Graph.TEXT, Graph.TEXT))
				: isSession(s) ? sessions(g, s).reduce(reducer, Graph.sessionStore(s, Graph.TEXT))
						: windows(g, s).reduce(reducer, Graph.windowStore(s, Graph.TEXT));
		return aggregated(s, table, Graph.TEXT);
	}

	private static Node aggregate(Graph g, Step s) {
		Aggregator<Object, Object, Object> f = folder(s.fn());
		Object table = isPlain(s)
				? grouped(g, s).aggregate(() -> null, f, Graph.keyValueStore(s, Graph.TEXT, Graph.TEXT))
				: isSession(s)
						? sessions(g, s).aggregate(() -> null, f, merger(s), Graph.sessionStore(s, Graph.TEXT))
						: windows(g, s).aggregate(() -> null, f, Graph.windowStore(s, Graph.TEXT));
		return aggregated(s, table, Graph.TEXT);
	}

	private static Node cogroup(Graph g, Step s) {
		CogroupedKStream<Object, Object> all = null;
		for (int i = 0; i < s.inputs().size(); i++) {
			KGroupedStream<Object, Object> in = g.input(s, i).stream().groupByKey(
					Grouped.with(s.name() + "-by-key-" + i, Graph.TEXT, g.input(s, i).values()));
			Aggregator<Object, Object, Object> f = folder(s.option("fn" + i, ""));
			all = all == null ? in.cogroup(f) : all.cogroup(in, f);
		}
		Object table = isPlain(s) ? all.aggregate(() -> null, Graph.keyValueStore(s, Graph.TEXT, Graph.TEXT))
				: isSession(s)
						? all.windowedBy(sessionWindows(s)).aggregate(() -> null, merger(s),
								Graph.sessionStore(s, Graph.TEXT))
						: (s.number("size") > 0 ? all.windowedBy(timeWindows(s)) : all.windowedBy(slidingWindows(s)))
								.aggregate(() -> null, Graph.windowStore(s, Graph.TEXT));
		return aggregated(s, table, Graph.TEXT);
	}

	private static Suppressed.BufferConfig<?> buffer(Step s) {
		long records = s.number("records"), bytes = s.number("bytes");
		if (records + bytes == 0)
			return Suppressed.BufferConfig.unbounded();
		Suppressed.EagerBufferConfig b = records > 0 ? Suppressed.BufferConfig.maxRecords(records)
				: Suppressed.BufferConfig.maxBytes(bytes);
		return records > 0 && bytes > 0 ? b.withMaxBytes(bytes) : b;
	}

	@SuppressWarnings({ "unchecked", "rawtypes" })
	private static Node suppress(Graph g, Step s) {
		Suppressed how = s.options().containsKey("until")
				? (Suppressed) Suppressed.untilWindowCloses((Suppressed.StrictBufferConfig) buffer(s))
				: Suppressed.untilTimeLimit(ms(s, "limit"), buffer(s));
		return g.input(s).with(g.input(s).table().suppress(how.withName(s.name())));
	}

	/** A row of a buffer's changelog without the offset of the record that has made it, which weir does not know. */
	static byte[] withoutOffset(byte[] row) {
		return row == null ? null : ByteBuffer.wrap(row.clone()).putLong(8, -1).array();
	}

	static void register() {
		Steps.register("cogroup", Windows::cogroup);
		Steps.register("suppress", Windows::suppress);
		Steps.register("count", Windows::count);
		Steps.register("reduce", Windows::reduce);
		Steps.register("aggregate", Windows::aggregate);
	}
}
