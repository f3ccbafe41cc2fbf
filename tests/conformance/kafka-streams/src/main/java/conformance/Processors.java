package conformance;

import static conformance.Functions.shown;
import static conformance.Functions.text;

import conformance.Case.Step;
import conformance.Graph.Keys;
import conformance.Graph.Node;
import java.time.Duration;
import java.time.Instant;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KeyValue;
import org.apache.kafka.streams.processor.PunctuationType;
import org.apache.kafka.streams.processor.api.ContextualProcessor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.KeyValueIterator;
import org.apache.kafka.streams.state.StoreBuilder;
import org.apache.kafka.streams.state.Stores;
import org.apache.kafka.streams.state.TimestampedKeyValueStore;
import org.apache.kafka.streams.state.TimestampedWindowStore;
import org.apache.kafka.streams.state.ValueAndTimestamp;
import org.apache.kafka.streams.state.WindowStoreIterator;

/** Steps of the low level: timers, stores and their iterators. */
class Processors {
	/** Passes records on, and between them a "tick" each `interval` of that time. */
	static class Ticker extends ContextualProcessor<Object, Object, Object, Object> {
		private final Step step;

		Ticker(Step step) {
			this.step = step;
		}

		@Override
		public void init(ProcessorContext<Object, Object> context) {
			super.init(context);
			boolean wall = step.option("time", "stream").equals("wall");
			long start = wall ? context.currentSystemTimeMs() : 0;
			context.schedule(Duration.ofMillis(step.number("interval")),
					wall ? PunctuationType.WALL_CLOCK_TIME : PunctuationType.STREAM_TIME,
					time -> context.forward(new Record<>("tick", "tick", time - start)));
		}

		@Override
		public void process(Record<Object, Object> record) {
			context().forward(record);
		}
	}

	/** Works with a store of the step's name; each `fn` is a way to use it. */
	static class WithStore extends ContextualProcessor<Object, Object, Object, Object> {
		private final Step step;
		private TimestampedKeyValueStore<String, String> values;
		private TimestampedWindowStore<String, String> windows;

		WithStore(Step step) {
			this.step = step;
		}

		@Override
		public void init(ProcessorContext<Object, Object> context) {
			super.init(context);
			Object store = context.getStateStore(step.name());
			if (step.number("size") > 0)
				windows = (TimestampedWindowStore<String, String>) store;
			else
				values = (TimestampedKeyValueStore<String, String>) store;
		}

		private static String entries(KeyValueIterator<String, ValueAndTimestamp<String>> it) {
			StringBuilder all = new StringBuilder();
			try (it) {
				while (it.hasNext()) {
					KeyValue<String, ValueAndTimestamp<String>> e = it.next();
					all.append(e.key).append('=').append(e.value.value()).append('@').append(e.value.timestamp())
							.append(';');
				}
			}
			return all.toString();
		}

		private static String entries(WindowStoreIterator<ValueAndTimestamp<String>> it) {
			StringBuilder all = new StringBuilder();
			try (it) {
				while (it.hasNext()) {
					KeyValue<Long, ValueAndTimestamp<String>> e = it.next();
					all.append(e.key).append('=').append(e.value.value()).append('@').append(e.value.timestamp())
							.append(';');
				}
			}
			return all.toString();
		}

		private String put(String key, String value, long time) {
			ValueAndTimestamp<String> old = values.get(key);
			values.put(key, ValueAndTimestamp.make(value, time));
			return old == null ? "~" : old.value() + "@" + old.timestamp();
		}

		private String inWindows(String fn, String key, String value, long time) {
			long start = time - time % step.number("size");
			Instant from = Instant.ofEpochMilli(Math.max(0, time - step.number("back"))), to = Instant.ofEpochMilli(time);
			switch (fn) {
			case "put":
				ValueAndTimestamp<String> old = windows.fetch(key, start);
				windows.put(key, ValueAndTimestamp.make(value, time), start);
				return old == null ? "~" : old.value() + "@" + old.timestamp();
			case "fetch":
				windows.put(key, ValueAndTimestamp.make(value, time), start);
				return entries(windows.fetch(key, from, to));
			case "fetch-backward":
				windows.put(key, ValueAndTimestamp.make(value, time), start);
				return entries(windows.backwardFetch(key, from, to));
			default:
				throw new IllegalArgumentException(fn);
			}
		}

		@Override
		public void process(Record<Object, Object> record) {
			String key = text(record.key()), value = text(record.value()), fn = step.fn();
			if (key == null)
				return;
			String seen;
			if (windows != null) {
				seen = inWindows(fn, key, value, record.timestamp());
			} else {
				seen = put(key, value, record.timestamp());
				seen = switch (fn) {
				case "put" -> seen;
				case "all" -> entries(values.all());
				case "reverse-all" -> entries(values.reverseAll());
				case "range" -> entries(values.range("b", "d"));
				case "range-open" -> entries(values.range("b", null));
				case "reverse-range" -> entries(values.reverseRange(null, "c"));
				case "prefix" -> entries(values.prefixScan("a", Serdes.String().serializer()));
				default -> throw new IllegalArgumentException(fn);
				};
			}
			context().forward(record.withValue(seen));
		}
	}

	private static StoreBuilder<?> store(Step s) {
		boolean memory = s.option("store", "memory").equals("memory");
		Duration size = Steps.ms(s, "size"), retain = Steps.ms(s, "retain");
		StoreBuilder<?> b;
		if (s.number("size") > 0)
			b = Stores.timestampedWindowStoreBuilder(
					memory ? Stores.inMemoryWindowStore(s.name(), retain, size, false)
							: Stores.persistentTimestampedWindowStore(s.name(), retain, size, false),
					Serdes.String(), Serdes.String());
		else
			b = Stores.timestampedKeyValueStoreBuilder(
					memory ? Stores.inMemoryKeyValueStore(s.name())
							: Stores.persistentTimestampedKeyValueStore(s.name()),
					Serdes.String(), Serdes.String());
		b = s.option("cache", "off").equals("on") ? b.withCachingEnabled() : b;
		return s.option("log", "on").equals("off") ? b.withLoggingDisabled() : b;
	}

	static void register() {
		Steps.register("tick", (g, s) -> g.input(s).with(g.input(s).stream().process(() -> new Ticker(s))));
		Steps.register("with-store", (g, s) -> {
			g.builder.addStateStore(store(s));
			return new Node(g.input(s).stream().process(() -> new WithStore(s), s.name()), Keys.TEXT, 0, Graph.TEXT);
		});
	}
}
