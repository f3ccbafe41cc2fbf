package conformance;

import static conformance.Functions.text;

import conformance.Case.Step;
import conformance.Graph.Keys;
import conformance.Graph.Node;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.utils.Bytes;
import org.apache.kafka.streams.KeyValue;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.Grouped;
import org.apache.kafka.streams.kstream.KGroupedTable;
import org.apache.kafka.streams.kstream.KTable;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.Named;
import org.apache.kafka.streams.kstream.Predicate;
import org.apache.kafka.streams.kstream.Reducer;
import org.apache.kafka.streams.kstream.TableJoined;
import org.apache.kafka.streams.kstream.ValueJoiner;
import org.apache.kafka.streams.kstream.ValueTransformerWithKey;
import org.apache.kafka.streams.kstream.ValueTransformerWithKeySupplier;
import org.apache.kafka.streams.processor.ProcessorContext;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.Stores;
import org.apache.kafka.streams.state.TimestampedKeyValueStore;
import org.apache.kafka.streams.state.ValueAndTimestamp;

/** Tables; the same names as in tests/conformance/tables.c. */
class Tables {
	private static Materialized<Object, Object, KeyValueStore<Bytes, byte[]>> store(Step s, String name,
			Serde<Object> values) {
		var versions = Versions.materialized(name, s, Graph.TEXT, values);
		if (s.number("max") > 0)
			return Graph.recent(s, name, Graph.TEXT, values);
		return versions != null ? versions : Graph.logged(s, unversioned(name, values));
	}

	private static Materialized<Object, Object, KeyValueStore<Bytes, byte[]>> unversioned(String name,
			Serde<Object> values) {
		return Materialized.<Object, Object, KeyValueStore<Bytes, byte[]>>as(name).withKeySerde(Graph.TEXT)
				.withValueSerde(values);
	}

	private static Predicate<Object, Object> predicate(Step s) {
		Functions.Predicate p = Functions.predicate(s.fn());
		return (k, v) -> p.test(text(k), text(v));
	}

	private static Node filter(Graph g, Step s, boolean not) {
		Node in = g.input(s);
		Named named = Named.as(s.name());
		String store = s.options().get("store");
		KTable<Object, Object> t = in.table();
		if (store == null)
			return in.with(not ? t.filterNot(predicate(s), named) : t.filter(predicate(s), named));
		return in.with(not ? t.filterNot(predicate(s), named, store(s, store, in.values()))
				: t.filter(predicate(s), named, store(s, store, in.values())));
	}

	private static Node mapValues(Graph g, Step s) {
		Functions.Mapper f = Functions.mapper(s.fn());
		org.apache.kafka.streams.kstream.ValueMapperWithKey<Object, Object, Object> map = (k, v) -> f.map(text(k),
				text(v));
		String store = s.options().get("store");
		KTable<Object, Object> t = g.input(s).table();
		return g.input(s).with(store == null ? t.mapValues(map, Named.as(s.name()))
				: t.mapValues(map, Named.as(s.name()), store(s, store, Graph.TEXT)), Graph.TEXT);
	}

	/** Values with, behind them, how often the key's row has been asked for so far, which a store knows. */
	private static class Transformer implements ValueTransformerWithKey<Object, Object, Object> {
		private final Functions.Mapper map;
		private final String calls; /* null = they are not counted */
		private ProcessorContext context;

		Transformer(Functions.Mapper map, String calls) {
			this.map = map;
			this.calls = calls;
		}

		@Override
		public void init(ProcessorContext context) {
			this.context = context;
		}

		@Override
		public Object transform(Object key, Object value) {
			String mapped = map.map(text(key), text(value));
			if (calls == null)
				return mapped;
			TimestampedKeyValueStore<String, String> store = context.getStateStore(calls);
			ValueAndTimestamp<String> old = store.get(text(key));
			String n = "" + (old == null ? 1 : Integer.parseInt(old.value()) + 1);
			store.put(text(key), ValueAndTimestamp.make(n, context.timestamp()));
			return mapped == null ? null : mapped + "#" + n;
		}

		@Override
		public void close() {
		}
	}

	private static Node transformValues(Graph g, Step s) {
		Functions.Mapper f = Functions.mapper(s.fn());
		String calls = s.options().get("calls"), store = s.options().get("store");
		String[] stores = calls == null ? new String[0] : new String[] { calls };
		if (calls != null)
			g.builder.addStateStore(Stores.timestampedKeyValueStoreBuilder(Stores.inMemoryKeyValueStore(calls),
					Serdes.String(), Serdes.String()));
		ValueTransformerWithKeySupplier<Object, Object, Object> how = () -> new Transformer(f, calls);
		KTable<Object, Object> t = g.input(s).table();
		return g.input(s).with(store == null ? t.transformValues(how, Named.as(s.name()), stores)
				: t.transformValues(how, store(s, store, Graph.TEXT), Named.as(s.name()), stores), Graph.TEXT);
	}

	private static ValueJoiner<Object, Object, Object> joiner(Step s) {
		Functions.Joiner f = Functions.joiner(s.fn());
		return (l, r) -> f.join(null, text(l), text(r));
	}

	private static Node join(Graph g, Step s) {
		KTable<Object, Object> l = g.input(s, 0).table(), r = g.input(s, 1).table();
		ValueJoiner<Object, Object, Object> f = joiner(s);
		Named named = Named.as(s.name());
		String store = s.options().get("store");
		var m = store == null ? null : store(s, store, Graph.TEXT);
		KTable<Object, Object> made = switch (s.op()) {
		case "table-left-join" -> m == null ? l.leftJoin(r, f, named) : l.leftJoin(r, f, named, m);
		case "table-outer-join" -> m == null ? l.outerJoin(r, f, named) : l.outerJoin(r, f, named, m);
		default -> m == null ? l.join(r, f, named) : l.join(r, f, named, m);
		};
		return g.input(s).with(made, Graph.TEXT);
	}

	private static Node foreign(Graph g, Step s) {
		Functions.Mapper key = Functions.mapper(s.option("key", ""));
		java.util.function.BiFunction<Object, Object, Object> extract = (k, v) -> key.map(text(k), text(v));
		KTable<Object, Object> l = g.input(s, 0).table(), r = g.input(s, 1).table();
		TableJoined<Object, Object> named = TableJoined.as(s.name());
		if (s.option("store", "").equals("none"))
			return g.input(s).with(s.op().equals("foreign-left-join") ? l.leftJoin(r, extract, joiner(s), named)
					: l.join(r, extract, joiner(s), named), Graph.TEXT);
		return g.input(s)
				.with(s.op().equals("foreign-left-join")
						? l.leftJoin(r, extract, joiner(s), named, store(s, s.name(), Graph.TEXT))
						: l.join(r, extract, joiner(s), named, store(s, s.name(), Graph.TEXT)), Graph.TEXT);
	}

	@SuppressWarnings("unchecked")
	private static KGroupedTable<Object, Object> grouped(Graph g, Step s) {
		return (KGroupedTable<Object, Object>) g.input(s).made();
	}

	private static Node made(Object table, Serde<Object> values) {
		return new Node(table, Keys.TEXT, 0, values);
	}

	private static Reducer<Object> reducer(String name) {
		Functions.Joiner f = Functions.reducer(name);
		return (a, v) -> f.join(null, text(a), text(v));
	}

	private static void registerGroups() {
		Steps.register("group-table", (g, s) -> {
			Functions.Mapper key = Functions.mapper(s.option("key", "key"));
			Functions.Mapper value = Functions.mapper(s.option("value", "same"));
			return made(g.input(s).table().groupBy(
					(k, v) -> KeyValue.<Object, Object>pair(key.map(text(k), text(v)), value.map(text(k), text(v))),
					Grouped.with(s.name(), Graph.TEXT, Graph.TEXT)), Graph.TEXT);
		});
		Steps.register("group-count", (g, s) -> made(
				grouped(g, s).count(Windows.number(Graph.keyValueStore(s, Graph.TEXT, Graph.NUMBER))), Graph.NUMBER));
		Steps.register("group-reduce", (g, s) -> made(grouped(g, s).reduce(reducer(s.fn()),
				reducer(s.option("minus", "")), Graph.keyValueStore(s, Graph.TEXT, Graph.TEXT)), Graph.TEXT));
		Steps.register("group-aggregate",
				(g, s) -> made(
						grouped(g, s).aggregate(() -> null, Windows.folder(s.fn()), Windows.folder(s.option("minus", "")),
								Graph.keyValueStore(s, Graph.TEXT, Graph.TEXT)),
						Graph.TEXT));
	}

	static void register() {
		Steps.register("table", (g, s) -> {
			var from = Consumed.with(Graph.TEXT, Graph.TEXT);
			String topic = s.option("topic", s.name());
			return new Node(s.option("store", "").equals("none") ? g.builder.table(topic, from)
					: g.builder.table(topic, from, Graph.keyValueStore(s, Graph.TEXT, Graph.TEXT)), Keys.TEXT, 0,
					Graph.TEXT);
		});
		Steps.register("to-table", (g, s) -> g.input(s).with(g.input(s).stream().toTable(Named.as(s.name()),
				Graph.keyValueStore(s, Graph.TEXT, g.input(s).values()))));
		Steps.register("table-filter", (g, s) -> filter(g, s, false));
		Steps.register("table-filter-not", (g, s) -> filter(g, s, true));
		Steps.register("table-map-values", Tables::mapValues);
		Steps.register("table-transform-values", Tables::transformValues);
		Steps.register("table-join", Tables::join);
		Steps.register("table-left-join", Tables::join);
		Steps.register("table-outer-join", Tables::join);
		Steps.register("foreign-join", Tables::foreign);
		Steps.register("foreign-left-join", Tables::foreign);
		registerGroups();
	}
}
