/*
 * Writes tests/topology/golden/streams.case: what Kafka Streams itself (TopologyTestDriver, no caches) makes of random
 * records. tests/topology/test_streams.c does the same with weir and compares.
 *
 *   java -cp 'lib/*' tests/tools/StreamsVectors.java > tests/topology/golden/streams.case
 *
 * where lib holds kafka-streams-test-utils 4.3.1 and what it needs (mvn dependency:copy-dependencies).
 */
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Properties;
import java.util.Random;
import org.apache.kafka.common.serialization.LongDeserializer;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;
import org.apache.kafka.common.utils.Bytes;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.TestInputTopic;
import org.apache.kafka.streams.TestOutputTopic;
import org.apache.kafka.streams.TopologyTestDriver;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.Grouped;
import org.apache.kafka.streams.kstream.KGroupedStream;
import org.apache.kafka.streams.kstream.KStream;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.kstream.TimeWindows;
import org.apache.kafka.streams.kstream.Windowed;
import org.apache.kafka.streams.processor.PunctuationType;
import org.apache.kafka.streams.processor.api.ContextualProcessor;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.WindowStore;
import org.apache.kafka.streams.test.TestRecord;

public class StreamsVectors {
	static final int RECORDS = 40;
	static final long START = 100000;

	/* size 0: no windows. */
	record Case(String kind, long size, long advance, long grace) {
	}

	static class Ticker extends ContextualProcessor<String, String, String, String> {
		final long interval;
		final PunctuationType type;

		Ticker(long interval, PunctuationType type) {
			this.interval = interval;
			this.type = type;
		}

		@Override
		public void init(org.apache.kafka.streams.processor.api.ProcessorContext<String, String> context) {
			super.init(context);
			context.schedule(Duration.ofMillis(interval), type,
					time -> context.forward(new Record<>("tick", "tick", time)));
		}

		@Override
		public void process(Record<String, String> record) {
			context().forward(record);
		}
	}

	static <S extends org.apache.kafka.streams.processor.StateStore, V> Materialized<String, V, S> in(
			org.apache.kafka.common.serialization.Serde<V> serde) {
		return Materialized.<String, V, S>with(Serdes.String(), serde).withCachingDisabled();
	}

	static void strings(KStream<String, String> s) {
		s.to("out", Produced.with(Serdes.String(), Serdes.String()));
	}

	/* Windowed keys as "key[start]". */
	static String name(Windowed<String> key) {
		return key.key() + "[" + key.window().start() + "]";
	}

	static StreamsBuilder build(Case c) {
		StreamsBuilder b = new StreamsBuilder();
		KStream<String, String> in = b.stream("in", Consumed.with(Serdes.String(), Serdes.String()));

		if (c.kind.startsWith("tick")) {
			PunctuationType type = c.kind.equals("tick-stream") ? PunctuationType.STREAM_TIME
					: PunctuationType.WALL_CLOCK_TIME;
			strings(in.process(() -> new Ticker(c.size, type)));
			return b;
		}
		KGroupedStream<String, String> grouped = in.groupByKey(Grouped.with(Serdes.String(), Serdes.String()));
		TimeWindows w = c.size == 0 ? null
				: TimeWindows.ofSizeAndGrace(Duration.ofMillis(c.size), Duration.ofMillis(c.grace))
						.advanceBy(Duration.ofMillis(c.advance));
		KStream<String, String> out = switch (c.kind) {
		case "count" -> w == null
				? grouped.count(StreamsVectors.<KeyValueStore<Bytes, byte[]>, Long>in(Serdes.Long())).toStream()
						.mapValues(v -> "" + v)
				: grouped.windowedBy(w)
						.count(StreamsVectors.<WindowStore<Bytes, byte[]>, Long>in(Serdes.Long()))
						.toStream((k, v) -> name(k)).mapValues(v -> "" + v);
		case "reduce" -> w == null
				? grouped.reduce((a, v) -> a + "+" + v,
						StreamsVectors.<KeyValueStore<Bytes, byte[]>, String>in(Serdes.String())).toStream()
				: grouped.windowedBy(w)
						.reduce((a, v) -> a + "+" + v,
								StreamsVectors.<WindowStore<Bytes, byte[]>, String>in(Serdes.String()))
						.toStream((k, v) -> name(k));
		case "fold" -> w == null
				? grouped.aggregate(() -> null, StreamsVectors::fold,
						StreamsVectors.<KeyValueStore<Bytes, byte[]>, String>in(Serdes.String())).toStream()
				: grouped.windowedBy(w)
						.aggregate(() -> null, StreamsVectors::fold,
								StreamsVectors.<WindowStore<Bytes, byte[]>, String>in(Serdes.String()))
						.toStream((k, v) -> name(k));
		default -> throw new IllegalArgumentException(c.kind);
		};
		strings(out);
		return b;
	}

	/* "d" deletes. */
	static String fold(String key, String value, String aggregate) {
		if ("d".equals(value))
			return null;
		return (aggregate == null ? "" : aggregate + ",") + (value == null ? "?" : value);
	}

	static String text(String s) {
		return s == null ? "~" : s;
	}

	static void run(Case c, long seed) {
		Random random = new Random(seed);
		Properties p = new Properties();
		p.put(StreamsConfig.APPLICATION_ID_CONFIG, "app");
		p.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, "nowhere:1");
		p.put(StreamsConfig.STATE_DIR_CONFIG, System.getProperty("java.io.tmpdir") + "/streams-vectors-" + seed);
		System.out.printf("case %s %d %d %d%n", c.kind, c.size, c.advance, c.grace);
		try (TopologyTestDriver d = new TopologyTestDriver(build(c).build(), p, Instant.ofEpochMilli(0))) {
			TestInputTopic<String, String> in = d.createInputTopic("in", new StringSerializer(),
					new StringSerializer());
			TestOutputTopic<String, String> out = d.createOutputTopic("out", new StringDeserializer(),
					new StringDeserializer());
			long now = START + random.nextInt(50);
			for (int i = 0; i < RECORDS; i++) {
				String key = random.nextInt(15) == 0 ? null : "" + (char) ('a' + random.nextInt(3));
				String value = random.nextInt(12) == 0 && !c.kind.equals("reduce") ? null
						: random.nextInt(10) == 0 && c.kind.equals("fold") ? "d" : "" + random.nextInt(10);
				long jump = random.nextInt(8) == 0 ? 60 : 8;
				now += random.nextInt((int) jump);
				long at = Math.max(1, random.nextInt(3) == 0 ? now - random.nextInt(40) : now);
				if (c.kind.equals("tick-wall")) {
					long advance = random.nextInt((int) c.size * 3);
					System.out.printf("wall %d%n", advance);
					d.advanceWallClockTime(Duration.ofMillis(advance));
				} else {
					System.out.printf("in %s %s %d%n", text(key), text(value), at);
					in.pipeInput(key, value, at);
				}
				for (TestRecord<String, String> r : out.readRecordsToList())
					System.out.printf("out %s %s %d%n", text(r.key()), text(r.value()), r.timestamp());
			}
			double dropped = d.metrics().values().stream()
					.filter(m -> m.metricName().name().equals("dropped-records-total"))
					.mapToDouble(m -> (Double) m.metricValue()).sum();
			System.out.printf("dropped %d%n", (long) dropped);
		}
	}

	public static void main(String[] args) {
		List<Case> cases = List.of(new Case("count", 0, 0, 0), new Case("reduce", 0, 0, 0), new Case("fold", 0, 0, 0),
				new Case("count", 10, 10, 0), new Case("count", 10, 10, 5), new Case("count", 25, 25, 30),
				new Case("count", 10, 5, 0), new Case("count", 10, 3, 7), new Case("count", 30, 7, 12),
				new Case("count", 7, 1, 0), new Case("reduce", 10, 10, 15), new Case("reduce", 20, 6, 3),
				new Case("fold", 10, 10, 20), new Case("fold", 15, 4, 10), new Case("tick-stream", 10, 0, 0),
				new Case("tick-stream", 1, 0, 0), new Case("tick-stream", 37, 0, 0), new Case("tick-stream", 1000, 0, 0),
				new Case("tick-wall", 10, 0, 0), new Case("tick-wall", 37, 0, 0));

		System.out.println("# Made by tests/tools/StreamsVectors.java with Kafka Streams 4.3.1; ~ is null.");
		for (int i = 0; i < cases.size(); i++)
			run(cases.get(i), i + 1);
	}
}
