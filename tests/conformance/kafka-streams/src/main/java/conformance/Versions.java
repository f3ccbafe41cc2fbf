package conformance;

import static conformance.Functions.text;

import conformance.Case.Step;
import conformance.Graph.Keys;
import conformance.Graph.Node;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.utils.Bytes;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.processor.StateStore;
import org.apache.kafka.streams.processor.api.ContextualProcessor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.query.MultiVersionedKeyQuery;
import org.apache.kafka.streams.query.PositionBound;
import org.apache.kafka.streams.query.QueryConfig;
import org.apache.kafka.streams.query.ResultOrder;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.Stores;
import org.apache.kafka.streams.state.VersionedKeyValueStore;
import org.apache.kafka.streams.state.VersionedRecord;
import org.apache.kafka.streams.state.VersionedRecordIterator;

/** Stores of versions; the same names as in tests/conformance/versioned.c. */
class Versions {
	/** By the names of the stores. */
	private static final Map<String, Long> HISTORIES = new HashMap<>();

	/** Another case begins. */
	static void begin() {
		HISTORIES.clear();
	}

	/** A store of versions if the step has a history; else null. */
	static Materialized<Object, Object, KeyValueStore<Bytes, byte[]>> materialized(String name, Step s,
			Serde<Object> keys, Serde<Object> values) {
		if (!s.options().containsKey("history"))
			return null;
		HISTORIES.put(name, s.number("history"));
		return Graph.logged(s, Materialized
				.<Object, Object>as(Stores.persistentVersionedKeyValueStore(name, Windows.ms(s, "history")))
				.withKeySerde(keys).withValueSerde(values));
	}

	/** Of the store that a changelog belongs to; null if it has no versions. */
	private static Long history(String changelog) {
		String name = changelog.substring((Driven.APPLICATION + "-").length());
		return HISTORIES.get(name.substring(0, name.length() - "-changelog".length()));
	}

	/**
	 * Changelogs of versions: one line for each version. What the store has not taken stands in them as well, and is
	 * left out by whoever reads them.
	 */
	static class Log {
		private final Map<String, Long> newest = new HashMap<>();

		/** Under what it is noted; null: not at all. */
		String key(String topic, String key, long timestamp) {
			Long history = history(topic);
			if (history == null)
				return key;
			long seen = newest.getOrDefault(topic, -1L);
			if (timestamp < seen - history)
				return null;
			newest.put(topic, Math.max(seen, timestamp));
			return key + "@" + timestamp;
		}
	}

	/** What is valid within the history: one "store NAME KEY@FROM-TO VALUE FROM" for each version. */
	static List<String> lines(String name, StateStore store, Trace trace) {
		List<String> lines = new ArrayList<>();
		if (!HISTORIES.containsKey(name)) /* a global store, which has no changelog that would tell the keys */
			return lines;
		Set<String> keys = new TreeSet<>();
		long newest = -1;
		for (String noted : trace.noted(Driven.APPLICATION + "-" + name + "-changelog")) {
			int at = noted.lastIndexOf('@');
			if (at < 0)
				continue;
			keys.add(noted.substring(0, at));
			newest = Math.max(newest, Long.parseLong(noted.substring(at + 1)));
		}
		for (String key : keys) {
			MultiVersionedKeyQuery<Object, Object> query = MultiVersionedKeyQuery
					.<Object, Object>withKey(text(Serdes.String().deserializer().deserialize("", Trace.bytes(key))))
					.fromTime(Instant.ofEpochMilli(newest - HISTORIES.get(name)));
			@SuppressWarnings("unchecked")
			VersionedRecordIterator<Object> it = (VersionedRecordIterator<Object>) store
					.query(query, PositionBound.unbounded(), new QueryConfig(false)).getResult();
			try (it) {
				while (it.hasNext()) {
					VersionedRecord<Object> v = it.next();
					lines.add("store " + name + " " + key + "@" + v.timestamp() + "-" + v.validTo().orElse(-1L) + " "
							+ Trace.text(text(v.value())) + " " + v.timestamp());
				}
			}
		}
		lines.sort(null);
		return lines;
	}

	/** Puts, deletes and reads, as the values say. */
	private static class WithVersions extends ContextualProcessor<Object, Object, Object, Object> {
		private final Step step;
		private VersionedKeyValueStore<String, String> store;

		WithVersions(Step step) {
			this.step = step;
		}

		@Override
		public void init(ProcessorContext<Object, Object> context) {
			super.init(context);
			store = context.getStateStore(step.name());
		}

		private static String shown(VersionedRecord<String> v) {
			return v == null ? "~" : v.value() + "@" + v.timestamp();
		}

		@Override
		public void process(Record<Object, Object> record) {
			String key = text(record.key()), value = text(record.value());
			long time = record.timestamp();
			if (key == null)
				return;
			if (value == null) {
				value = "deleted:" + shown(store.delete(key, time));
			} else if (value.length() % 2 == 1) {
				value = "put:" + store.put(key, value.equals("d") ? null : value, time);
			} else {
				long asOf = time - step.number("back");
				value = "was:" + shown(store.get(key, asOf)) + ",is:" + shown(store.get(key));
			}
			context().forward(record.withValue(value));
		}
	}

	static void register() {
		Steps.register("with-versions", (g, s) -> {
			HISTORIES.put(s.name(), s.number("history"));
			g.builder.addStateStore(Stores.versionedKeyValueStoreBuilder(
					Stores.persistentVersionedKeyValueStore(s.name(), Windows.ms(s, "history")), Serdes.String(),
					Serdes.String()));
			return new Node(g.input(s).stream().process(() -> new WithVersions(s), s.name()), Keys.TEXT, 0, Graph.TEXT);
		});
	}
}
