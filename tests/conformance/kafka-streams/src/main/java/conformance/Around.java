package conformance;

import static conformance.Functions.text;

import java.lang.reflect.Field;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.kafka.common.header.Headers;
import org.apache.kafka.common.header.internals.RecordHeaders;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.kstream.Windowed;
import org.apache.kafka.streams.kstream.internals.Change;
import org.apache.kafka.streams.kstream.internals.SessionWindow;
import org.apache.kafka.streams.processor.PunctuationType;
import org.apache.kafka.streams.processor.api.FixedKeyProcessor;
import org.apache.kafka.streams.processor.api.FixedKeyProcessorContext;
import org.apache.kafka.streams.processor.api.FixedKeyProcessorSupplier;
import org.apache.kafka.streams.processor.api.FixedKeyRecord;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.ProcessorSupplier;
import org.apache.kafka.streams.processor.api.ProcessorWrapper;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.processor.api.WrappedFixedKeyProcessorSupplier;
import org.apache.kafka.streams.processor.api.WrappedProcessorSupplier;
import org.apache.kafka.streams.state.StoreBuilder;

/** Put around the DSL's own steps: what tests/conformance/around.c puts around weir's. It says what enters each, and
 * does what `config __around=` lists: see there. */
public class Around implements ProcessorWrapper {
	/** By the first number of the names that are made for it. */
	private static final TreeMap<Integer, Case.Step> NUMBERED = new TreeMap<>();
	private static final List<Case.Step> NAMED = new ArrayList<>();
	private static Trace trace;
	private static boolean optimized;
	private String does = "";

	static void begin(Trace to) {
		trace = to;
		NUMBERED.clear();
		NAMED.clear();
	}

	/** A step is about to be built. */
	static void next(StreamsBuilder builder, Case.Step s) {
		try {
			Field internal = StreamsBuilder.class.getDeclaredField("internalStreamsBuilder");
			internal.setAccessible(true);
			Object made = internal.get(builder);
			Field index = made.getClass().getDeclaredField("index");
			index.setAccessible(true);
			NUMBERED.put(((AtomicInteger) index.get(made)).get(), s);
			NAMED.add(s);
		} catch (ReflectiveOperationException e) {
			throw new IllegalStateException(e);
		}
	}

	private static Case.Step stepOf(String name) {
		int dash = name.lastIndexOf('-');
		String number = name.substring(dash + 1);
		if (number.length() == 10 && number.chars().allMatch(Character::isDigit))
			return NUMBERED.floorEntry(Integer.parseInt(number)).getValue();
		Case.Step best = null;
		for (Case.Step s : NAMED)
			if ((name.equals(s.name()) || name.startsWith(s.name() + "-"))
					&& (best == null || s.name().length() > best.name().length()))
				best = s;
		return best;
	}

	private static boolean selfJoined(String name) {
		Case.Step s = stepOf(name);
		return optimized && s.op().equals("stream-join") && s.inputs().get(0).equals(s.inputs().get(1));
	}

	/** What it is in weir; null = nothing stands for it there. */
	private static String kindOf(String name, Object supplier, Object processor) {
		String of = supplier.getClass().getSimpleName();
		return switch (of) {
		case "KStreamFilter" -> name.endsWith("-repartition-filter") ? "repartition" : "filter";
		case "KStreamMapValues" -> name.startsWith("KTABLE-TOSTREAM") ? null : "map-values";
		case "KStreamMap" -> name.startsWith("KSTREAM-KEY-SELECT") ? "key-by" : "map";
		case "KStreamFlatMap" -> "flat-map";
		case "KStreamFlatMapValues" -> "flat-map-values";
		case "KStreamPeek" -> "peek";
		case "KStreamBranch" -> "branch";
		case "PassThrough" -> name.startsWith("KSTREAM-MERGE") ? "merge" : name.endsWith("-merge") ? "join" : "case";
		case "KStreamAggregate", "KStreamReduce", "KStreamWindowAggregate", "KStreamSlidingWindowAggregate",
				"KStreamSessionWindowAggregate" ->
			name.startsWith("COGROUP") ? "cogroup-input" : "aggregate";
		case "KTablePassThrough", "SubscriptionJoinProcessorSupplier", "KStreamKStreamJoinLeftSide",
				"KStreamKStreamJoinRightSide", "KStreamKStreamSelfJoin" -> null;
		case "KStreamJoinWindow" -> selfJoined(name) ? "self-join"
				: name.endsWith("-this-windowed") ? "join-this" : "join-other";
		case "KTableSource" -> name.endsWith("-result") ? "foreign-join" : "table";
		case "KTableFilter" -> "table-filter";
		case "KTableMapValues" -> "table-map-values";
		case "KTableKTableInnerJoin", "KTableKTableLeftJoin", "KTableKTableOuterJoin", "KTableKTableRightJoin" ->
			name.endsWith("-join-this") ? "table-join-left" : "table-join-right";
		case "KTableKTableJoinMerger" -> "table-join";
		case "KTableSuppressProcessorSupplier" -> "suppress";
		case "KTableRepartitionMap" -> "table-group";
		case "KTableAggregate", "KTableReduce" -> "table-aggregate";
		case "SubscriptionSendProcessorSupplier" -> "foreign-subscribe";
		case "SubscriptionReceiveProcessorSupplier" -> "foreign-receive";
		case "ForeignTableJoinProcessorSupplier" -> "foreign-changes";
		case "ResponseJoinProcessorSupplier" -> "foreign-response";
		case "KStreamKTableJoin" -> "join-table";
		case "KStreamGlobalKTableJoin" -> "join-global";
		default -> switch (processor.getClass().getSimpleName()) {
		case "KTableTransformValuesProcessor" -> "table-transform-values";
		case "ForeachProcessor" -> "for-each";
		default -> "process";
		};
		};
	}

	/** What both kinds of wrappers do, for one step. */
	private static class Step {
		private final String name, kind, does;
		private long records, ticks;

		Step(String name, String kind, String does) {
			Case.Step of = stepOf(name);
			this.name = of == null ? name : kind.equals("case") ? name.substring(of.name().length() + 1) : of.name();
			this.kind = kind;
			this.does = does;
		}

		private boolean does(String what) {
			return does.contains(what);
		}

		private static String key(Object key) {
			if (!(key instanceof Windowed<?> w))
				return Trace.text(text(key));
			return Trace.text(text(key)) + "@" + w.window().start()
					+ (w.window() instanceof SessionWindow ? "-" + w.window().end() : "");
		}

		private String value(Object value) {
			if (kind.startsWith("foreign-re") || kind.equals("table-aggregate"))
				return "-";
			return Trace.text(text(value instanceof Change<?> c ? c.newValue : value));
		}

		/** A record enters. */
		void enter(Object key, Object value, long time, Headers headers) {
			records++;
			trace.line("enter " + name + " " + kind + " " + key(key) + " " + value(value) + " " + time
					+ Trace.headers(headers));
		}

		void tick(long time) {
			trace.line("tick " + name + " " + kind + " " + ++ticks + " of " + records + " " + time);
		}

		boolean ticks() {
			return does("tick") && kind.equals("merge");
		}

		boolean drops() {
			return does("drop") && records % 5 == 0;
		}

		boolean forwards(Object value) {
			Object now = value instanceof Change<?> c ? c.newValue : value;
			return does("forward") && records % 4 == 0 && now instanceof String && List.of("filter", "peek", "map-values", "merge", "case",
					"map", "key-by", "flat-map-values", "join", "table-filter", "table-map-values").contains(kind);
		}

		Headers headers(Headers had) {
			if (!does("headers"))
				return had;
			Headers headers = new RecordHeaders(had.toArray());
			headers.add("around-" + name, Long.toString(records).getBytes(StandardCharsets.US_ASCII));
			return headers;
		}

		Object changed(Object value) {
			return does("change") && records % 3 == 0 && value instanceof String s ? s + "!" : value;
		}

		long time(long time) {
			return does("time") && records % 6 == 0 ? time + 1 : time;
		}

		Object behind(Object value) {
			return value instanceof Change ? new Change<>("behind", null) : "behind";
		}
	}

	private static class Any<KIn, VIn, KOut, VOut> implements Processor<KIn, VIn, KOut, VOut> {
		private final Processor<KIn, VIn, KOut, VOut> inner;
		private final Step step;
		private ProcessorContext<KOut, VOut> context;

		Any(Processor<KIn, VIn, KOut, VOut> inner, Step step) {
			this.inner = inner;
			this.step = step;
		}

		@Override
		public void init(ProcessorContext<KOut, VOut> context) {
			this.context = context;
			inner.init(context);
			if (step.ticks())
				context.schedule(Duration.ofMillis(37), PunctuationType.STREAM_TIME, step::tick);
		}

		@Override
		@SuppressWarnings("unchecked")
		public void process(Record<KIn, VIn> r) {
			step.enter(r.key(), r.value(), r.timestamp(), r.headers());
			Record<KIn, VIn> to = r.withHeaders(step.headers(r.headers())).withValue((VIn) step.changed(r.value()))
					.withTimestamp(step.time(r.timestamp()));
			if (!step.drops())
				inner.process(to);
			if (step.forwards(r.value()))
				context.forward((Record<KOut, VOut>) to.withValue((VIn) step.behind(r.value())));
		}

		@Override
		public void close() {
			inner.close();
		}
	}

	private static class FixedKey<K, VIn, VOut> implements FixedKeyProcessor<K, VIn, VOut> {
		private final FixedKeyProcessor<K, VIn, VOut> inner;
		private final Step step;
		private FixedKeyProcessorContext<K, VOut> context;

		FixedKey(FixedKeyProcessor<K, VIn, VOut> inner, Step step) {
			this.inner = inner;
			this.step = step;
		}

		@Override
		public void init(FixedKeyProcessorContext<K, VOut> context) {
			this.context = context;
			inner.init(context);
			if (step.ticks())
				context.schedule(Duration.ofMillis(37), PunctuationType.STREAM_TIME, step::tick);
		}

		@Override
		@SuppressWarnings("unchecked")
		public void process(FixedKeyRecord<K, VIn> r) {
			step.enter(r.key(), r.value(), r.timestamp(), r.headers());
			FixedKeyRecord<K, VIn> to = r.withHeaders(step.headers(r.headers()))
					.withValue((VIn) step.changed(r.value())).withTimestamp(step.time(r.timestamp()));
			if (!step.drops())
				inner.process(to);
			if (step.forwards(r.value()))
				context.forward((FixedKeyRecord<K, VOut>) to.withValue((VIn) step.behind(r.value())));
		}

		@Override
		public void close() {
			inner.close();
		}
	}

	@Override
	public void configure(Map<String, ?> configs) {
		Object said = configs.get("__around");
		optimized = configs.get("topology.optimization") != null;
		does = said == null ? "" : said.toString();
	}

	@Override
	public <KIn, VIn, KOut, VOut> WrappedProcessorSupplier<KIn, VIn, KOut, VOut> wrapProcessorSupplier(String name,
			ProcessorSupplier<KIn, VIn, KOut, VOut> supplier) {
		String kind = kindOf(name, supplier, supplier.get());
		if (kind == null)
			return ProcessorWrapper.asWrapped(supplier);
		return new WrappedProcessorSupplier<>() {
			@Override
			public Processor<KIn, VIn, KOut, VOut> get() {
				return new Any<>(supplier.get(), new Step(name, kind, does));
			}

			@Override
			public Set<StoreBuilder<?>> stores() {
				return supplier.stores();
			}
		};
	}

	@Override
	public <KIn, VIn, VOut> WrappedFixedKeyProcessorSupplier<KIn, VIn, VOut> wrapFixedKeyProcessorSupplier(String name,
			FixedKeyProcessorSupplier<KIn, VIn, VOut> supplier) {
		String kind = kindOf(name, supplier, supplier.get());
		if (kind == null)
			return ProcessorWrapper.asWrappedFixedKey(supplier);
		return new WrappedFixedKeyProcessorSupplier<>() {
			@Override
			public FixedKeyProcessor<KIn, VIn, VOut> get() {
				return new FixedKey<>(supplier.get(), new Step(name, kind, does));
			}

			@Override
			public Set<StoreBuilder<?>> stores() {
				return supplier.stores();
			}
		};
	}
}
