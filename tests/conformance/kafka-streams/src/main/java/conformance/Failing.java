package conformance;

import static conformance.Functions.shown;
import static conformance.Functions.text;

import conformance.Case.Step;
import conformance.Graph.Keys;
import conformance.Graph.Node;
import java.time.Duration;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.processor.PunctuationType;
import org.apache.kafka.streams.processor.api.ContextualProcessor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.Stores;
import org.apache.kafka.streams.state.TimestampedKeyValueStore;
import org.apache.kafka.streams.state.ValueAndTimestamp;

/** Processors that fail. */
class Failing {
	/** Puts and passes on what was there before; where the value has `where` it fails then. */
	static class Faulty extends ContextualProcessor<Object, Object, Object, Object> {
		private final Step step;
		private TimestampedKeyValueStore<String, String> store;

		Faulty(Step step) {
			this.step = step;
		}

		@Override
		public void init(ProcessorContext<Object, Object> context) {
			super.init(context);
			store = context.getStateStore(step.name());
		}

		@Override
		public void process(Record<Object, Object> record) {
			String key = text(record.key()), value = text(record.value()), where = step.option("where", "");
			if (key == null)
				return;
			ValueAndTimestamp<String> old = store.get(key);
			store.put(key, ValueAndTimestamp.make(value, record.timestamp()));
			context().forward(record.withValue(shown(old == null ? null : old.value())));
			if (value != null && value.contains(where))
				throw new RuntimeException("no " + where);
			context().forward(record.withValue("went on"));
		}
	}

	/** Passes a tick on; every nth fails then. */
	static class FaultyTicker extends ContextualProcessor<Object, Object, Object, Object> {
		private final Step step;
		private long ticks;

		FaultyTicker(Step step) {
			this.step = step;
		}

		@Override
		public void init(ProcessorContext<Object, Object> context) {
			super.init(context);
			boolean wall = step.option("time", "stream").equals("wall");
			long start = wall ? context.currentSystemTimeMs() : 0;
			context.schedule(Duration.ofMillis(step.number("interval")),
					wall ? PunctuationType.WALL_CLOCK_TIME : PunctuationType.STREAM_TIME, time -> {
						context.forward(new Record<>("tick", "tick", time - start));
						if (++ticks % step.number("nth") == 0)
							throw new RuntimeException("no tick " + ticks);
						context.forward(new Record<>("tick", "went on", time - start));
					});
		}

		@Override
		public void process(Record<Object, Object> record) {
			context().forward(record);
		}
	}

	static void register() {
		Steps.register("faulty", (g, s) -> {
			g.builder.addStateStore(Stores.timestampedKeyValueStoreBuilder(Stores.inMemoryKeyValueStore(s.name()),
					Serdes.String(), Serdes.String()));
			return new Node(g.input(s).stream().process(() -> new Faulty(s), s.name()), Keys.TEXT, 0, Graph.TEXT);
		});
		Steps.register("faulty-tick", (g, s) -> g.input(s).with(g.input(s).stream().process(() -> new FaultyTicker(s))));
	}
}
