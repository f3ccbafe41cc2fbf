package bench;

import java.time.Duration;
import java.util.Locale;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.utils.Bytes;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.Grouped;
import org.apache.kafka.streams.kstream.JoinWindows;
import org.apache.kafka.streams.kstream.KStream;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.kstream.StreamJoined;
import org.apache.kafka.streams.kstream.TimeWindows;
import org.apache.kafka.streams.kstream.WindowedSerdes;
import org.apache.kafka.streams.state.KeyValueStore;

/** The workloads of bench/streams.c in Kafka Streams' DSL. The store is named alike, so that weir can take it over. */
final class Workloads {
	private static final Serde<String> TEXT = Serdes.String();
	private static final Serde<Long> COUNT = Serdes.Long();
	private static final Duration WINDOW = Duration.ofMinutes(5), JOIN = Duration.ofSeconds(60);

	private Workloads() {}

	static Topology topology(String w, String[] in, String out) {
		StreamsBuilder b = new StreamsBuilder();
		KStream<String, String> s = b.stream(in[0], Consumed.with(TEXT, TEXT));

		switch (w) {
		case "W1", "W2" -> s.groupByKey(Grouped.with(TEXT, TEXT))
			.windowedBy(TimeWindows.ofSizeAndGrace(WINDOW, WINDOW))
			.count(Materialized.with(TEXT, COUNT))
			.toStream()
			.to(out, Produced.with(WindowedSerdes.timeWindowedSerdeFrom(String.class, WINDOW.toMillis()), COUNT));
		case "W3", "W4" -> count(s, out);
		case "W5" -> s.filter((k, v) -> v.charAt(13) != '0')
			.mapValues(v -> v.toUpperCase(Locale.ROOT))
			.to(out, Produced.with(TEXT, TEXT));
		case "W6" -> s.join(b.stream(in[1], Consumed.with(TEXT, TEXT)), (l, r) -> l + "|" + r,
				JoinWindows.ofTimeDifferenceAndGrace(JOIN, JOIN), StreamJoined.with(TEXT, TEXT, TEXT))
			.to(out, Produced.with(TEXT, TEXT));
		case "W7" -> count(s.selectKey((k, v) -> v.substring(8, 14)), out);
		default -> throw new IllegalArgumentException(w);
		}
		return b.build();
	}

	private static void count(KStream<String, String> s, String out) {
		s.groupByKey(Grouped.with(TEXT, TEXT))
			.count(Materialized.<String, Long, KeyValueStore<Bytes, byte[]>>as("counts").withKeySerde(TEXT).withValueSerde(COUNT))
			.toStream()
			.to(out, Produced.with(TEXT, COUNT));
	}
}
