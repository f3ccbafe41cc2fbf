package conformance;

import static conformance.Functions.shown;
import static conformance.Functions.text;

import conformance.Case.Step;
import conformance.Graph.Keys;
import conformance.Graph.Node;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import org.apache.kafka.common.MetricName;
import org.apache.kafka.common.metrics.Sensor;
import org.apache.kafka.common.metrics.stats.CumulativeCount;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.Headers;
import org.apache.kafka.common.header.internals.RecordHeaders;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KeyValue;
import org.apache.kafka.streams.kstream.Windowed;
import org.apache.kafka.streams.kstream.internals.SessionWindow;
import org.apache.kafka.streams.processor.Cancellable;
import org.apache.kafka.streams.processor.PunctuationType;
import org.apache.kafka.streams.processor.api.ContextualFixedKeyProcessor;
import org.apache.kafka.streams.processor.api.ContextualProcessor;
import org.apache.kafka.streams.processor.api.FixedKeyProcessorContext;
import org.apache.kafka.streams.processor.api.FixedKeyRecord;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.processor.api.RecordMetadata;
import org.apache.kafka.streams.state.AggregationWithHeaders;
import org.apache.kafka.streams.state.KeyValueIterator;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.SessionStore;
import org.apache.kafka.streams.state.SessionStoreWithHeaders;
import org.apache.kafka.streams.state.StoreBuilder;
import org.apache.kafka.streams.state.Stores;
import org.apache.kafka.streams.state.TimestampedKeyValueStore;
import org.apache.kafka.streams.state.TimestampedKeyValueStoreWithHeaders;
import org.apache.kafka.streams.state.TimestampedWindowStore;
import org.apache.kafka.streams.state.TimestampedWindowStoreWithHeaders;
import org.apache.kafka.streams.state.ValueAndTimestamp;
import org.apache.kafka.streams.state.ValueTimestampHeaders;
import org.apache.kafka.streams.state.WindowStore;
import org.apache.kafka.streams.state.WindowStoreIterator;

/** Steps of the low level: timers, stores and their iterators. */
class Processors {
	/** Passes records on, and between them a "tick" each `interval` of that time. */
	static class Ticker extends ContextualProcessor<Object, Object, Object, Object> {
		private final Step step;
		private Cancellable timer;
		private long ticks, start;
		private boolean wall;

		Ticker(Step step) {
			this.step = step;
		}

		@Override
		public void init(ProcessorContext<Object, Object> context) {
			super.init(context);
			wall = step.option("time", "stream").equals("wall");
			start = wall ? context.currentSystemTimeMs() : 0;
			if (step.number("with-record") == 0)
				schedule();
		}

		private void tick(long time) {
			context().forward(new Record<>("tick", "tick", time - start));
			if (++ticks == step.number("times"))
				timer.cancel();
		}

		/** `from` is of the wall clock from the start of the task. */
		private void schedule() {
			Duration interval = Duration.ofMillis(step.number("interval"));
			PunctuationType type = wall ? PunctuationType.WALL_CLOCK_TIME : PunctuationType.STREAM_TIME;
			String from = step.option("from", null);
			timer = from == null ? context().schedule(interval, type, this::tick)
					: context().schedule(Instant.ofEpochMilli(start + Long.parseLong(from)), interval, type, this::tick);
		}

		@Override
		public void process(Record<Object, Object> record) {
			context().forward(record);
			if (timer == null)
				schedule();
		}
	}

	/** Where a record comes from, and the task's time. */
	static class Inspector extends ContextualFixedKeyProcessor<Object, Object, Object> {
		@Override
		public void process(FixedKeyRecord<Object, Object> record) {
			RecordMetadata m = context().recordMetadata().orElseThrow();
			long offset = m.topic().startsWith(Driven.APPLICATION + "-") ? -1 : m.offset(); /* as in processors.c */
			context().forward(record.withValue(
					m.topic() + "/" + m.partition() + "/" + offset + "/" + context().currentStreamTimeMs()));
		}
	}

	/** The application around it: names, a setting of the program's own, a metric of the step's own. */
	static class ContextTeller extends ContextualFixedKeyProcessor<Object, Object, Object> {
		private final Step step;
		private Sensor told;
		private MetricName total;

		ContextTeller(Step step) {
			this.step = step;
		}

		@Override
		public void init(FixedKeyProcessorContext<Object, Object> context) {
			super.init(context);
			total = new MetricName("told-total", "conformance", "",
					Map.of("task-id", context.taskId().toString(), "step", step.name()));
			told = context.metrics().addSensor("told-" + context.taskId() + "-" + step.name(),
					Sensor.RecordingLevel.INFO);
			told.add(total, new CumulativeCount());
		}

		@Override
		public void process(FixedKeyRecord<Object, Object> record) {
			told.record();
			Map<String, Object> configs = context().appConfigs();
			long n = ((Double) context().metrics().metrics().get(total).metricValue()).longValue();
			context().forward(record.withValue(context().applicationId() + "/" + context().taskId() + "/"
					+ configs.get("conformance.word") + "/" + configs.getOrDefault("conformance.unset", "none") + "/"
					+ n));
		}
	}

	/** To one of the steps below, or, where there is no value, to all. */
	static class Forwarder extends ContextualProcessor<Object, Object, Object, Object> {
		private final Step step;
		private final Functions.Predicate p;

		Forwarder(Step step) {
			this.step = step;
			p = Functions.predicate(step.fn());
		}

		@Override
		public void process(Record<Object, Object> r) {
			if (r.value() == null)
				context().forward(r);
			else
				context().forward(r, step.option(p.test(text(r.key()), text(r.value())) ? "yes" : "no", ""));
		}
	}

	/** Works with a store of sessions: the record makes one of those that it touches, told as they were. */
	static class WithSessions extends ContextualProcessor<Object, Object, Object, Object> {
		private final Step step;
		private SessionStore<String, String> store;

		WithSessions(Step step) {
			this.step = step;
		}

		@Override
		public void init(ProcessorContext<Object, Object> context) {
			super.init(context);
			store = context.getStateStore(step.name());
		}

		/** Of several keys: those from b to c that touch the record, or all that end near it. */
		private String others(long time, long gap) {
			List<String> seen = new ArrayList<>();
			long earliest = Math.max(0, time - gap), latest = time + gap;
			try (KeyValueIterator<Windowed<String>, String> it = switch (step.fn()) {
			case "find-keys" -> store.findSessions("b", "c", earliest, latest);
			case "find-keys-backward" -> store.backwardFindSessions("b", "c", earliest, latest);
			case "find-all" -> store.findSessions(earliest, latest);
			default -> throw new IllegalArgumentException(step.fn());
			}) {
				while (it.hasNext()) {
					KeyValue<Windowed<String>, String> e = it.next();
					seen.add(e.key.key() + "/" + e.key.window().start() + "-" + e.key.window().end() + "=" + e.value + ";");
				}
			}
			if (step.fn().equals("find-all")) /* in memory it has an order of its own */
				Collections.sort(seen);
			return String.join("", seen);
		}

		@Override
		public void process(Record<Object, Object> record) {
			String key = text(record.key());
			if (key == null)
				return;
			long start = record.timestamp(), end = start, gap = step.number("gap");
			StringBuilder seen = new StringBuilder();
			List<Windowed<String>> found = new ArrayList<>();
			try (KeyValueIterator<Windowed<String>, String> it = step.fn().equals("find-backward")
					? store.backwardFindSessions(key, start - gap, start + gap)
					: store.findSessions(key, start - gap, start + gap)) {
				while (it.hasNext()) {
					KeyValue<Windowed<String>, String> e = it.next();
					found.add(e.key);
					seen.append(e.key.window().start()).append('-').append(e.key.window().end()).append('=')
							.append(e.value).append(';');
				}
			}
			for (Windowed<String> w : found) {
				start = Math.min(start, w.window().start());
				end = Math.max(end, w.window().end());
				store.remove(w);
			}
			store.put(new Windowed<>(key, new SessionWindow(start, end)), text(record.value()));
			context().forward(record.withValue(step.fn().equals("find") || step.fn().equals("find-backward")
					? seen + shown(store.fetchSession(key, start, end))
					: others(record.timestamp(), gap)));
		}
	}

	/** Works with a store of windows that keeps all that is put. */
	static class WithDuplicates extends ContextualProcessor<Object, Object, Object, Object> {
		private final Step step;
		private WindowStore<String, String> store;

		WithDuplicates(Step step) {
			this.step = step;
		}

		@Override
		public void init(ProcessorContext<Object, Object> context) {
			super.init(context);
			store = context.getStateStore(step.name());
		}

		@Override
		public void process(Record<Object, Object> record) {
			String key = text(record.key());
			if (key == null)
				return;
			long time = record.timestamp();
			StringBuilder seen = new StringBuilder();
			store.put(key, text(record.value()), time);
			try (WindowStoreIterator<String> it = store.fetch(key,
					Instant.ofEpochMilli(Math.max(0, time - step.number("back"))), Instant.ofEpochMilli(time))) {
				while (it.hasNext()) {
					KeyValue<Long, String> e = it.next();
					seen.append(e.key).append('=').append(e.value).append(';');
				}
			}
			context().forward(record.withValue(seen.toString()));
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

		/** Of several keys. */
		private static String ofAll(KeyValueIterator<Windowed<String>, ValueAndTimestamp<String>> it) {
			StringBuilder all = new StringBuilder();
			try (it) {
				while (it.hasNext()) {
					KeyValue<Windowed<String>, ValueAndTimestamp<String>> e = it.next();
					all.append(e.key.key()).append('/').append(e.key.window().start()).append('=')
							.append(e.value.value()).append('@').append(e.value.timestamp()).append(';');
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
			ValueAndTimestamp<String> old = windows.fetch(key, start);
			windows.put(key, ValueAndTimestamp.make(value, time), start);
			return switch (fn) {
			case "put" -> old == null ? "~" : old.value() + "@" + old.timestamp();
			case "fetch-all" -> ofAll(windows.fetchAll(from, to));
			case "fetch-all-backward" -> ofAll(windows.backwardFetchAll(from, to));
			case "fetch-keys" -> ofAll(windows.fetch("b", "c", from, to));
			case "fetch-keys-backward" -> ofAll(windows.backwardFetch("b", "c", from, to));
			case "fetch-up-to" -> ofAll(windows.fetch(null, "b", from, to));
			case "fetch" -> entries(windows.fetch(key, from, to));
			case "fetch-backward" -> entries(windows.backwardFetch(key, from, to));
			default -> throw new IllegalArgumentException(fn);
			};
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
				if (fn.equals("absent")) {
					ValueAndTimestamp<String> old = values.putIfAbsent(key,
							ValueAndTimestamp.make(value, record.timestamp()));
					seen = old == null ? "~" : old.value() + "@" + old.timestamp();
				} else {
					seen = put(key, value, record.timestamp());
				}
				seen = switch (fn) {
				case "put", "absent" -> seen;
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

	/** A store of at most `max` entries: gets where `fn` is true, else puts, and tells what it holds then. */
	static class WithLru extends ContextualProcessor<Object, Object, Object, Object> {
		private final Step step;
		private final Functions.Predicate p;
		private KeyValueStore<String, String> store;

		WithLru(Step step) {
			this.step = step;
			p = Functions.predicate(step.fn());
		}

		@Override
		public void init(ProcessorContext<Object, Object> context) {
			super.init(context);
			store = context.getStateStore(step.name());
		}

		@Override
		public void process(Record<Object, Object> record) {
			String key = text(record.key()), value = text(record.value());
			if (key == null)
				return;
			StringBuilder seen = new StringBuilder();
			if (p.test(key, value)) {
				String old = store.get(key);
				seen.append(old == null ? "~;" : old + "@0;");
			} else {
				store.put(key, value);
				seen.append("put;");
			}
			try (KeyValueIterator<String, String> it = store.all()) {
				while (it.hasNext()) {
					KeyValue<String, String> e = it.next();
					seen.append(e.key).append('=').append(e.value).append(';');
				}
			}
			context().forward(record.withValue(seen.toString() + store.approximateNumEntries()));
		}
	}

	/** Works with a store that keeps headers; what `without` holds of is put without them. */
	static class WithHeaders extends ContextualProcessor<Object, Object, Object, Object> {
		private final Step step;
		private final Functions.Predicate without;
		private final long size;
		private TimestampedKeyValueStoreWithHeaders<String, String> values;
		private TimestampedWindowStoreWithHeaders<String, String> windows;
		private SessionStoreWithHeaders<String, String> sessions;

		WithHeaders(Step step) {
			this.step = step;
			without = Functions.predicate(step.option("without", ""));
			size = step.number("size");
		}

		@Override
		public void init(ProcessorContext<Object, Object> context) {
			super.init(context);
			if (step.number("sessions") > 0)
				sessions = context.getStateStore(step.name());
			else if (size > 0)
				windows = context.getStateStore(step.name());
			else
				values = context.getStateStore(step.name());
		}

		private static String shown(Headers headers) {
			StringBuilder all = new StringBuilder("{");
			for (Header h : headers)
				all.append(h.key()).append('=')
						.append(Functions.shown(h.value() == null ? null : new String(h.value(), StandardCharsets.UTF_8)))
						.append(';');
			return all + "}";
		}

		private static String before(ValueTimestampHeaders<String> old) {
			return old == null ? "~" : old.value() + "@" + old.timestamp() + shown(old.headers());
		}

		private String inValues(String key, String value, long time, Headers headers) {
			StringBuilder all = new StringBuilder(before(values.get(key)));
			values.put(key, ValueTimestampHeaders.make(value, time, headers));
			try (KeyValueIterator<String, ValueTimestampHeaders<String>> it = values.all()) {
				while (it.hasNext()) {
					KeyValue<String, ValueTimestampHeaders<String>> e = it.next();
					all.append(",").append(e.key).append("=").append(e.value.value()).append(shown(e.value.headers()));
				}
			}
			return all.toString();
		}

		private String inWindows(String key, String value, long time, Headers headers) {
			long start = time - time % size;
			StringBuilder all = new StringBuilder(before(windows.fetch(key, start)));
			windows.put(key, ValueTimestampHeaders.make(value, time, headers), start);
			try (WindowStoreIterator<ValueTimestampHeaders<String>> it = windows.fetch(key, Instant.ofEpochMilli(0),
					Instant.ofEpochMilli(time))) {
				while (it.hasNext()) {
					KeyValue<Long, ValueTimestampHeaders<String>> e = it.next();
					all.append(",").append(e.key).append("=").append(e.value.value()).append(shown(e.value.headers()));
				}
			}
			return all.toString();
		}

		private String inSessions(String key, String value, long time, Headers headers) {
			long start = time - time % size;
			AggregationWithHeaders<String> old = sessions.fetchSession(key, start, start + size);
			StringBuilder all = new StringBuilder(
					old == null ? "~" : old.aggregation() + "@0" + shown(old.headers()));
			sessions.put(new Windowed<>(key, new SessionWindow(start, start + size)),
					AggregationWithHeaders.make(value, headers));
			try (KeyValueIterator<Windowed<String>, AggregationWithHeaders<String>> it = sessions.findSessions(key, 0,
					time)) {
				while (it.hasNext()) {
					KeyValue<Windowed<String>, AggregationWithHeaders<String>> e = it.next();
					all.append(",").append(e.key.window().start()).append("=").append(e.value.aggregation())
							.append(shown(e.value.headers()));
				}
			}
			return all.toString();
		}

		@Override
		public void process(Record<Object, Object> r) {
			String key = text(r.key()), value = text(r.value());
			if (key == null)
				return;
			Headers headers = without.test(key, value) ? new RecordHeaders() : r.headers();
			context().forward(r.withValue(sessions != null ? inSessions(key, value, r.timestamp(), headers)
					: windows != null ? inWindows(key, value, r.timestamp(), headers)
							: inValues(key, value, r.timestamp(), headers)));
		}
	}

	/** Where `fn` is true the record goes on with headers of its own. */
	static class HeaderSetter extends ContextualFixedKeyProcessor<Object, Object, Object> {
		private final Functions.Predicate own;

		HeaderSetter(Step s) {
			own = Functions.predicate(s.fn());
		}

		@Override
		public void process(FixedKeyRecord<Object, Object> r) {
			String value = text(r.value());
			Headers headers = new RecordHeaders().add("own", value == null ? null : value.getBytes());
			context().forward(own.test(text(r.key()), value) ? r.withHeaders(headers) : r);
		}
	}

	private static StoreBuilder<?> storeWithHeaders(Step s) {
		boolean memory = s.option("store", "memory").equals("memory");
		Duration size = Windows.ms(s, "size"), retain = Windows.ms(s, "retain");
		if (s.number("sessions") > 0)
			return Stores.sessionStoreWithHeadersBuilder(
					memory ? Stores.inMemorySessionStore(s.name(), retain)
							: Stores.persistentSessionStoreWithHeaders(s.name(), retain),
					Serdes.String(), Serdes.String());
		if (s.number("size") > 0)
			return Stores.timestampedWindowStoreWithHeadersBuilder(
					memory ? Stores.inMemoryWindowStore(s.name(), retain, size, false)
							: Stores.persistentTimestampedWindowStoreWithHeaders(s.name(), retain, size, false),
					Serdes.String(), Serdes.String());
		return Stores.timestampedKeyValueStoreWithHeadersBuilder(
				memory ? Stores.inMemoryKeyValueStore(s.name())
						: Stores.persistentTimestampedKeyValueStoreWithHeaders(s.name()),
				Serdes.String(), Serdes.String());
	}

	private static StoreBuilder<?> store(Step s) {
		boolean memory = s.option("store", "memory").equals("memory");
		Duration size = Windows.ms(s, "size"), retain = Windows.ms(s, "retain");
		StoreBuilder<?> b;
		if (s.fn().equals("duplicates"))
			b = Stores.windowStoreBuilder(
					memory ? Stores.inMemoryWindowStore(s.name(), retain, size, true)
							: Stores.persistentWindowStore(s.name(), retain, size, true),
					Serdes.String(), Serdes.String());
		else if (s.number("gap") > 0)
			b = Stores.sessionStoreBuilder(
					memory ? Stores.inMemorySessionStore(s.name(), retain)
							: Stores.persistentSessionStore(s.name(), retain),
					Serdes.String(), Serdes.String());
		else if (s.number("size") > 0)
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
			return new Node(g.input(s).stream().process(() -> s.fn().equals("duplicates") ? new WithDuplicates(s)
					: s.number("gap") > 0 ? new WithSessions(s) : new WithStore(s), s.name()), Keys.TEXT, 0, Graph.TEXT);
		});
		Steps.register("lru", (g, s) -> {
			g.builder.addStateStore(Stores.keyValueStoreBuilder(Stores.lruMap(s.name(), (int) s.number("max")),
					Serdes.String(), Serdes.String()));
			return new Node(g.input(s).stream().process(() -> new WithLru(s), s.name()), Keys.TEXT, 0, Graph.TEXT);
		});
		Steps.register("with-headers", (g, s) -> {
			g.builder.addStateStore(storeWithHeaders(s));
			return new Node(g.input(s).stream().process(() -> new WithHeaders(s), s.name()), Keys.TEXT, 0, Graph.TEXT);
		});
		Steps.register("set-headers", (g, s) -> g.input(s)
				.with(g.input(s).stream().processValues(() -> new HeaderSetter(s)), Graph.TEXT));
		Steps.register("inspect",
				(g, s) -> g.input(s).with(g.input(s).stream().processValues(Inspector::new), Graph.TEXT));
		Steps.register("context", (g, s) -> g.input(s)
				.with(g.input(s).stream().processValues(() -> new ContextTeller(s)), Graph.TEXT));
		Steps.register("forward-to",
				(g, s) -> g.input(s).with(g.input(s).stream().process(() -> new Forwarder(s))));
	}
}
