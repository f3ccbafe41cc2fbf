package conformance;

import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.utils.Bytes;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.kstream.Grouped;
import org.apache.kafka.streams.kstream.KStream;
import org.apache.kafka.streams.kstream.KTable;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.kstream.SessionWindowedSerializer;
import org.apache.kafka.streams.kstream.SessionWindowedDeserializer;
import org.apache.kafka.streams.kstream.TimeWindowedDeserializer;
import org.apache.kafka.streams.kstream.TimeWindowedSerializer;
import org.apache.kafka.streams.processor.StateStore;
import org.apache.kafka.streams.state.BuiltInDslStoreSuppliers;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.Stores;
import org.apache.kafka.streams.state.SessionStore;
import org.apache.kafka.streams.state.WindowStore;

/** A topology being built: what each step made, with its types. */
class Graph {
	enum Keys {
		TEXT, WINDOWED, SESSION
	}

	/** A stream or table and how its keys and values are written. */
	record Node(Object made, Keys keys, long windowSize, Serde<Object> values) {
		@SuppressWarnings("unchecked")
		KStream<Object, Object> stream() {
			return (KStream<Object, Object>) made;
		}

		@SuppressWarnings("unchecked")
		KTable<Object, Object> table() {
			return (KTable<Object, Object>) made;
		}

		boolean isTable() {
			return made instanceof KTable;
		}

		Node with(Object other) {
			return new Node(other, keys, windowSize, values);
		}

		Node with(Object other, Serde<Object> values) {
			return new Node(other, keys, windowSize, values);
		}
	}

	@SuppressWarnings({ "unchecked", "rawtypes" })
	static final Serde<Object> TEXT = (Serde) Serdes.String(), NUMBER = (Serde) Serdes.Long();

	final StreamsBuilder builder;
	final Trace trace;
	private final Map<String, Node> nodes = new HashMap<>();

	Graph(StreamsBuilder builder, Trace trace) {
		Versions.begin();
		this.builder = builder;
		this.trace = trace;
	}

	void put(String name, Node node) {
		nodes.put(name, node);
	}

	Node get(String name) {
		Node node = nodes.get(name);
		if (node == null)
			throw new IllegalArgumentException("no step \"" + name + "\" above");
		return node;
	}

	Node input(Case.Step step, int i) {
		return get(step.inputs().get(i));
	}

	Node input(Case.Step step) {
		return input(step, 0);
	}

	@SuppressWarnings({ "unchecked", "rawtypes" })
	static Serde<Object> keySerde(Node n) {
		return switch (n.keys) {
		case TEXT -> TEXT;
		case WINDOWED -> (Serde) Serdes.serdeFrom(new TimeWindowedSerializer<>(Serdes.String().serializer()),
				new TimeWindowedDeserializer<>(Serdes.String().deserializer(), n.windowSize));
		case SESSION -> (Serde) Serdes.serdeFrom(new SessionWindowedSerializer<>(Serdes.String().serializer()),
				new SessionWindowedDeserializer<>(Serdes.String().deserializer()));
		};
	}

	static Produced<Object, Object> produced(Node n) {
		return Produced.with(keySerde(n), n.values);
	}

	static Grouped<Object, Object> grouped(Case.Step step, Node n) {
		return Grouped.with(step.name() + "-by-key", keySerde(n), n.values);
	}

	/** A store of the step's name, with its options cache=off and log=off; max= of so many keys at most. */
	static <S extends StateStore> Materialized<Object, Object, S> store(Case.Step step, Serde<Object> keys,
			Serde<Object> values) {
		return options(step, Materialized.<Object, Object, S>as(step.name()).withKeySerde(keys)
				.withValueSerde(values));
	}

	private static <S extends StateStore> Materialized<Object, Object, S> options(Case.Step step,
			Materialized<Object, Object, S> m) {
		if (step.option("cache", "on").equals("off"))
			m = m.withCachingDisabled();
		if (step.option("store", "").equals("disk"))
			m = m.withStoreType(new BuiltInDslStoreSuppliers.RocksDBDslStoreSuppliers());
		if (step.option("store", "").equals("memory"))
			m = m.withStoreType(new BuiltInDslStoreSuppliers.InMemoryDslStoreSuppliers());
		if (step.number("retain") > 0)
			m = m.withRetention(Duration.ofMillis(step.number("retain")));
		return logged(step, m);
	}

	static <S extends StateStore> Materialized<Object, Object, S> logged(Case.Step step,
			Materialized<Object, Object, S> m) {
		return step.option("log", "on").equals("off") ? m.withLoggingDisabled() : m;
	}

	/** A store of max= keys. */
	static Materialized<Object, Object, KeyValueStore<Bytes, byte[]>> recent(Case.Step step, String store,
			Serde<Object> keys, Serde<Object> values) {
		return options(step, Materialized.<Object, Object>as(Stores.lruMap(store, (int) step.number("max")))
				.withKeySerde(keys).withValueSerde(values));
	}

	static Materialized<Object, Object, KeyValueStore<Bytes, byte[]>> keyValueStore(Case.Step step, Serde<Object> keys,
			Serde<Object> values) {
		var versions = Versions.materialized(step.name(), step, keys, values);
		if (step.number("max") > 0)
			return recent(step, step.name(), keys, values);
		return versions != null ? versions : store(step, keys, values);
	}

	static Materialized<Object, Object, WindowStore<Bytes, byte[]>> windowStore(Case.Step step,
			Serde<Object> values) {
		return store(step, TEXT, values);
	}

	static Materialized<Object, Object, SessionStore<Bytes, byte[]>> sessionStore(Case.Step step,
			Serde<Object> values) {
		return store(step, TEXT, values);
	}
}
