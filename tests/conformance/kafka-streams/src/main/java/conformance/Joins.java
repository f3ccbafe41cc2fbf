package conformance;

import static conformance.Functions.text;

import conformance.Case.Step;
import conformance.Graph.Keys;
import conformance.Graph.Node;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KeyValue;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.GlobalKTable;
import org.apache.kafka.streams.kstream.JoinWindows;
import org.apache.kafka.streams.kstream.Joined;
import org.apache.kafka.streams.kstream.KStream;
import org.apache.kafka.streams.kstream.KeyValueMapper;
import org.apache.kafka.streams.kstream.Named;
import org.apache.kafka.streams.kstream.StreamJoined;
import org.apache.kafka.streams.kstream.ValueJoinerWithKey;
import org.apache.kafka.streams.kstream.Windowed;
import org.apache.kafka.streams.kstream.internals.SessionWindow;
import org.apache.kafka.streams.processor.api.ContextualFixedKeyProcessor;
import org.apache.kafka.streams.processor.api.FixedKeyProcessorContext;
import org.apache.kafka.streams.processor.api.FixedKeyRecord;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.processor.api.RecordMetadata;
import org.apache.kafka.streams.state.KeyValueIterator;
import org.apache.kafka.streams.state.SessionStore;
import org.apache.kafka.streams.state.StoreBuilder;
import org.apache.kafka.streams.state.Stores;
import org.apache.kafka.streams.state.TimestampedKeyValueStore;
import org.apache.kafka.streams.state.TimestampedKeyValueStoreWithHeaders;
import org.apache.kafka.streams.state.TimestampedWindowStore;
import org.apache.kafka.streams.state.ValueAndTimestamp;
import org.apache.kafka.streams.state.ValueTimestampHeaders;
import org.apache.kafka.streams.state.VersionedKeyValueStore;
import org.apache.kafka.streams.state.VersionedRecord;
import org.apache.kafka.streams.state.WindowStoreIterator;

/** Joins of streams; the same names as in tests/conformance/joins.c. */
class Joins {
	private static ValueJoinerWithKey<Object, Object, Object, Object> joiner(Step s) {
		Functions.Joiner f = Functions.joiner(s.fn());
		return (k, l, r) -> f.join(text(k), text(l), text(r));
	}

	private static Node joinTable(Graph g, Step s) {
		Node in = g.input(s, 0), table = g.input(s, 1);
		Serde<Object> keys = Graph.keySerde(in);
		/* With grace the name is the buffer's, too. */
		Joined<Object, Object, Object> joined = Joined.with(keys, in.values(), table.values(),
				s.number("grace") > 0 ? s.name() : s.name() + "-by-key");
		if (s.number("grace") > 0)
			joined = joined.withGracePeriod(Windows.ms(s, "grace"));
		KStream<Object, Object> made = s.op().equals("left-join-table")
				? in.stream().leftJoin(table.table(), joiner(s), joined)
				: in.stream().join(table.table(), joiner(s), joined);
		return in.with(made, Graph.TEXT);
	}

	@SuppressWarnings("unchecked")
	private static Node joinGlobal(Graph g, Step s) {
		Node in = g.input(s, 0);
		GlobalKTable<Object, Object> table = (GlobalKTable<Object, Object>) g.input(s, 1).made();
		Functions.Mapper key = Functions.mapper(s.option("key", ""));
		KeyValueMapper<Object, Object, Object> keyOf = (k, v) -> key.map(text(k), text(v));
		Named named = Named.as(s.name());
		KStream<Object, Object> made = s.op().equals("left-join-global")
				? in.stream().leftJoin(table, keyOf, joiner(s), named)
				: in.stream().join(table, keyOf, joiner(s), named);
		return in.with(made, Graph.TEXT);
	}

	/** The row of a key made of the record: how many times, the newest value, and where it lay. */
	static class BeforeStore implements Processor<Object, Object, Void, Void> {
		private final Step step;
		private final Functions.Mapper key;
		private ProcessorContext<Void, Void> context;
		private final long size;
		private TimestampedKeyValueStore<String, String> rows;
		private TimestampedKeyValueStoreWithHeaders<String, String> withHeaders;
		private TimestampedWindowStore<String, String> windows;
		private SessionStore<String, String> sessions;
		private VersionedKeyValueStore<String, String> versions;

		BeforeStore(Step step) {
			this.step = step;
			key = Functions.mapper(step.option("key", ""));
			size = step.number("size");
		}

		@Override
		public void init(ProcessorContext<Void, Void> context) {
			this.context = context;
			if (step.number("sessions") > 0)
				sessions = context.getStateStore(step.name());
			else if (size > 0)
				windows = context.getStateStore(step.name());
			else if (step.options().containsKey("history"))
				versions = context.getStateStore(step.name());
			else if (step.number("headers") > 0)
				withHeaders = context.getStateStore(step.name());
			else
				rows = context.getStateStore(step.name());
		}

		private String get(String k, long start) {
			if (sessions != null)
				return sessions.fetchSession(k, start, start + size);
			if (versions != null) {
				VersionedRecord<String> newest = versions.get(k);
				return newest == null ? null : newest.value();
			}
			if (withHeaders != null) {
				ValueTimestampHeaders<String> kept = withHeaders.get(k);
				return kept == null ? null : kept.value();
			}
			ValueAndTimestamp<String> old = windows != null ? windows.fetch(k, start) : rows.get(k);
			return old == null ? null : old.value();
		}

		private void put(String k, String row, long start, Record<Object, Object> r) {
			long time = r.timestamp();
			if (versions != null)
				versions.put(k, row, time);
			else if (withHeaders != null)
				withHeaders.put(k, ValueTimestampHeaders.make(row, time, r.headers()));
			else if (sessions != null && row == null) /* a null put would count as dropped where it is past retention */
				sessions.remove(new Windowed<>(k, new SessionWindow(start, start + size)));
			else if (sessions != null)
				sessions.put(new Windowed<>(k, new SessionWindow(start, start + size)), row);
			else if (windows != null)
				windows.put(k, ValueAndTimestamp.make(row, time), start);
			else
				rows.put(k, ValueAndTimestamp.make(row, time));
		}

		@Override
		public void process(Record<Object, Object> r) {
			String mapped = key.map(text(r.key()), text(r.value())), k = mapped == null ? "none" : mapped;
			long start = size > 0 ? r.timestamp() - r.timestamp() % size : 0;
			if (r.value() == null) {
				put(k, null, start, r);
				return;
			}
			String old = get(k, start);
			int n = old == null ? 1 : Integer.parseInt(old.substring(0, old.indexOf(':'))) + 1;
			RecordMetadata m = context.recordMetadata().orElseThrow();
			String row = n + ":" + text(r.value()) + ":" + m.topic() + "/" + m.partition() + "/" + m.offset();
			put(k, row, start, r);
		}
	}

	/** The row of the record's key, as a processor finds it. */
	static class RowTeller extends ContextualFixedKeyProcessor<Object, Object, Object> {
		private final String store;
		private final long back;
		private Object rows;

		RowTeller(String store, long back) {
			this.store = store;
			this.back = back;
		}

		@SuppressWarnings("unchecked")
		private String row(String key) {
			ValueAndTimestamp<String> row = ((TimestampedKeyValueStore<String, String>) rows).get(key);
			return row == null ? "~" : row.value() + "@" + row.timestamp();
		}

		private static String shown(VersionedRecord<String> v) {
			return v == null ? "~" : v.value() + "@" + v.timestamp();
		}

		@SuppressWarnings("unchecked")
		private String versions(String key, long asOf) {
			VersionedKeyValueStore<String, String> store = (VersionedKeyValueStore<String, String>) rows;
			return shown(store.get(key, asOf)) + "," + shown(store.get(key));
		}

		@SuppressWarnings("unchecked")
		private String withHeaders(String key) {
			ValueTimestampHeaders<String> row = ((TimestampedKeyValueStoreWithHeaders<String, String>) rows).get(key);
			if (row == null)
				return "~";
			StringBuilder all = new StringBuilder(row.value() + "@" + row.timestamp());
			for (Header h : row.headers())
				all.append(',').append(h.key()).append('=').append(
						Functions.shown(h.value() == null ? null : new String(h.value(), StandardCharsets.UTF_8)));
			return all.toString();
		}

		/** All that there is of the key. */
		@SuppressWarnings("unchecked")
		private String windows(String key) {
			StringBuilder all = new StringBuilder();
			try (WindowStoreIterator<ValueAndTimestamp<String>> it =
					((TimestampedWindowStore<String, String>) rows).fetch(key, Instant.ofEpochMilli(0),
							Instant.ofEpochMilli(1L << 50))) {
				while (it.hasNext()) {
					KeyValue<Long, ValueAndTimestamp<String>> e = it.next();
					all.append(e.key).append('=').append(e.value.value()).append(';');
				}
			}
			return all.toString();
		}

		@SuppressWarnings("unchecked")
		private String sessions(String key) {
			StringBuilder all = new StringBuilder();
			try (KeyValueIterator<Windowed<String>, String> it =
					((SessionStore<String, String>) rows).findSessions(key, 0, Long.MAX_VALUE)) {
				while (it.hasNext()) {
					KeyValue<Windowed<String>, String> e = it.next();
					all.append(e.key.window().start()).append('=').append(e.value).append(';');
				}
			}
			return all.toString();
		}

		@Override
		public void init(FixedKeyProcessorContext<Object, Object> context) {
			super.init(context);
			rows = context.getStateStore(store);
		}

		@Override
		public void process(FixedKeyRecord<Object, Object> r) {
			boolean headers = rows instanceof TimestampedKeyValueStoreWithHeaders;
			boolean one = !headers && rows instanceof TimestampedKeyValueStore;
			String key = text(r.key());
			context().forward(r.withValue(key == null ? (one ? "~" : "") : one ? row(key)
					: headers ? withHeaders(key)
					: rows instanceof VersionedKeyValueStore ? versions(key, r.timestamp() - back)
					: rows instanceof SessionStore ? sessions(key) : windows(key)));
		}
	}

	private static StoreBuilder<?> globalBuilder(Step s) {
		Duration size = Windows.ms(s, "size"), retain = Windows.ms(s, "retain");
		if (s.number("sessions") > 0)
			return Stores.sessionStoreBuilder(Stores.inMemorySessionStore(s.name(), retain), Serdes.String(),
					Serdes.String());
		if (s.number("size") > 0)
			return Stores.timestampedWindowStoreBuilder(Stores.inMemoryWindowStore(s.name(), retain, size, false),
					Serdes.String(), Serdes.String());
		if (s.options().containsKey("history"))
			return Stores.versionedKeyValueStoreBuilder(
					Stores.persistentVersionedKeyValueStore(s.name(), Windows.ms(s, "history")), Serdes.String(),
					Serdes.String());
		if (s.number("headers") > 0)
			return Stores.timestampedKeyValueStoreWithHeadersBuilder(Stores.inMemoryKeyValueStore(s.name()),
					Serdes.String(), Serdes.String());
		return Stores.timestampedKeyValueStoreBuilder(
				s.number("max") > 0 ? Stores.lruMap(s.name(), (int) s.number("max")) : Stores.inMemoryKeyValueStore(s.name()),
				Serdes.String(), Serdes.String());
	}

	private static Node globalStore(Graph g, Step s) {
		g.builder.addGlobalStore(globalBuilder(s), s.option("topic", s.name()), Consumed.with(Graph.TEXT, Graph.TEXT),
				() -> new BeforeStore(s));
		return new Node(s.name(), Keys.TEXT, 0, Graph.TEXT);
	}

	private static Node tellGlobal(Graph g, Step s) {
		String store = (String) g.input(s, 1).made();
		return g.input(s).with(g.input(s).stream()
				.processValues(() -> new RowTeller(store, s.number("back")), Named.as(s.name())), Graph.TEXT);
	}

	private static Node joinStreams(Graph g, Step s) {
		Node l = g.input(s, 0), r = g.input(s, 1);
		Duration before = Windows.ms(s, "before"), after = Windows.ms(s, "after"), grace = Windows.ms(s, "grace");
		JoinWindows w = JoinWindows.ofTimeDifferenceAndGrace(before.compareTo(after) > 0 ? before : after, grace)
				.before(before).after(after);
		StreamJoined<Object, Object, Object> how = StreamJoined
				.with(Graph.keySerde(l), l.values(), r.values()).withName(s.name()).withStoreName(s.name());
		KStream<Object, Object> made = switch (s.op()) {
		case "stream-left-join" -> l.stream().leftJoin(r.stream(), joiner(s), w, how);
		case "stream-outer-join" -> l.stream().outerJoin(r.stream(), joiner(s), w, how);
		default -> l.stream().join(r.stream(), joiner(s), w, how);
		};
		return l.with(made, Graph.TEXT);
	}

	static void register() {
		Steps.register("stream-join", Joins::joinStreams);
		Steps.register("stream-left-join", Joins::joinStreams);
		Steps.register("stream-outer-join", Joins::joinStreams);
		Steps.register("join-table", Joins::joinTable);
		Steps.register("left-join-table", Joins::joinTable);
		Steps.register("global-table",
				(g, s) -> new Node(
						g.builder.globalTable(s.option("topic", s.name()), Consumed.with(Graph.TEXT, Graph.TEXT),
								Graph.keyValueStore(s, Graph.TEXT, Graph.TEXT)),
						Keys.TEXT, 0, Graph.TEXT));
		Steps.register("global-store", Joins::globalStore);
		Steps.register("tell-global", Joins::tellGlobal);
		Steps.register("join-global", Joins::joinGlobal);
		Steps.register("left-join-global", Joins::joinGlobal);
	}
}
