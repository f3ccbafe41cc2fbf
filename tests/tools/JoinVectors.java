/*
 * Writes tests/topology/golden/joins.case: what Kafka Streams itself (TopologyTestDriver) makes of random records in
 * joins of streams. tests/topology/test_joins_of_streams.c does the same with weir and compares.
 *
 *   java -cp 'lib/*' tests/tools/JoinVectors.java > tests/topology/golden/joins.case
 *
 * where lib holds kafka-streams-test-utils 4.3.1 and what it needs (mvn dependency:copy-dependencies).
 */
import java.time.Duration;
import java.time.Instant;
import java.util.HexFormat;
import java.util.Properties;
import java.util.Random;
import java.util.TreeMap;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.TestInputTopic;
import org.apache.kafka.streams.TestOutputTopic;
import org.apache.kafka.streams.TopologyTestDriver;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.JoinWindows;
import org.apache.kafka.streams.kstream.KStream;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.kstream.StreamJoined;
import org.apache.kafka.streams.test.TestRecord;

public class JoinVectors {
	static final int RECORDS = 60;
	static final String[] KINDS = {"join", "left", "outer", "self"};

	static String text(Object o) {
		return o == null ? "~" : o.toString();
	}

	static String hex(byte[] b) {
		return b == null ? "~" : b.length == 0 ? "-" : HexFormat.of().formatHex(b);
	}

	static StreamsBuilder build(String kind, long before, long after, long grace) {
		StreamsBuilder b = new StreamsBuilder();
		Consumed<String, String> strings = Consumed.with(Serdes.String(), Serdes.String());
		KStream<String, String> left = b.stream("in", strings);
		KStream<String, String> right = kind.equals("self") ? left : b.stream("in2", strings);
		JoinWindows w = JoinWindows.ofTimeDifferenceAndGrace(Duration.ofMillis(Math.max(before, after)),
				Duration.ofMillis(grace)).before(Duration.ofMillis(before)).after(Duration.ofMillis(after));
		StreamJoined<String, String, String> named = StreamJoined
				.with(Serdes.String(), Serdes.String(), Serdes.String()).withName("j").withStoreName("j");
		KStream<String, String> out = switch (kind) {
		case "left" -> left.leftJoin(right, (l, r) -> text(l) + "+" + text(r), w, named);
		case "outer" -> left.outerJoin(right, (l, r) -> text(l) + "+" + text(r), w, named);
		default -> left.join(right, (l, r) -> text(l) + "+" + text(r), w, named);
		};
		out.to("out", Produced.with(Serdes.String(), Serdes.String()));
		return b;
	}

	/* The last value of each key of a changelog. */
	static void changelog(TopologyTestDriver d, String store) {
		TreeMap<String, String> last = new TreeMap<>();
		for (TestRecord<byte[], byte[]> r : d.createOutputTopic("app-" + store + "-changelog",
				new ByteArrayDeserializer(), new ByteArrayDeserializer()).readRecordsToList())
			if (r.value() == null)
				last.remove(hex(r.key()));
			else
				last.put(hex(r.key()), hex(r.value()) + " " + r.timestamp());
		last.forEach((key, value) -> System.out.printf("log %s %s %s%n", store, key, value));
	}

	static void run(int seed) {
		Random random = new Random(seed);
		String kind = KINDS[seed % 4];
		long before = random.nextInt(4) == 0 ? 0 : random.nextInt(30), after = random.nextInt(4) == 0 ? 0 : random.nextInt(30);
		if (random.nextInt(6) == 0) {
			if (random.nextBoolean())
				before = -random.nextInt((int) after + 1);
			else
				after = -random.nextInt((int) before + 1);
		}
		long grace = random.nextInt(3) == 0 ? 0 : random.nextInt(50);
		/* null values are logged there, and counted, though they are no rows: changelogs differ by numbers then */
		boolean nulls = random.nextInt(3) != 0;
		Properties p = new Properties();
		p.put(StreamsConfig.APPLICATION_ID_CONFIG, "app");
		p.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, "nowhere:1");
		p.put(StreamsConfig.STATE_DIR_CONFIG, System.getProperty("java.io.tmpdir") + "/join-vectors-" + seed);
		System.out.printf("case %s %d %d %d%n", kind, before, after, grace);
		try (TopologyTestDriver d = new TopologyTestDriver(build(kind, before, after, grace).build(), p,
				Instant.ofEpochMilli(0))) {
			TestInputTopic<String, String> in = d.createInputTopic("in", new StringSerializer(), new StringSerializer());
			TestInputTopic<String, String> in2 = kind.equals("self") ? null
					: d.createInputTopic("in2", new StringSerializer(), new StringSerializer());
			TestOutputTopic<String, String> out = d.createOutputTopic("out", new StringDeserializer(),
					new StringDeserializer());
			long now = 100000 + random.nextInt(50);
			for (int i = 0; i < RECORDS; i++) {
				boolean right = in2 != null && random.nextBoolean();
				String key = random.nextInt(15) == 0 ? null : "" + (char) ('a' + random.nextInt(3));
				String value = nulls && random.nextInt(12) == 0 ? null : (right ? "r" : "l") + i;
				now += random.nextInt(random.nextInt(9) == 0 ? 90 : 9);
				long at = random.nextInt(3) == 0 ? now - random.nextInt(random.nextInt(4) == 0 ? 120 : 30) : now;
				if (random.nextInt(3) == 0) {
					System.out.printf("wall 2000%n");
					d.advanceWallClockTime(Duration.ofMillis(2000));
				}
				System.out.printf("%s %s %s %d%n", right ? "in2" : "in", text(key), text(value), at);
				(right ? in2 : in).pipeInput(key, value, at);
				for (TestRecord<String, String> r : out.readRecordsToList())
					System.out.printf("out %s %s %d%n", text(r.key()), text(r.value()), r.timestamp());
			}
			double dropped = d.metrics().values().stream()
					.filter(m -> m.metricName().name().equals("dropped-records-total"))
					.mapToDouble(m -> (Double) m.metricValue()).sum();
			System.out.printf("dropped %d%n", (long) dropped);
			if (nulls)
				return;
			String[] stores = switch (kind) {
			case "left" -> new String[] {"this", "outer-other", "left-shared"};
			case "outer" -> new String[] {"outer-this", "outer-other", "outer-shared"};
			case "self" -> new String[] {"this"};
			default -> new String[] {"this", "other"};
			};
			for (String store : stores)
				changelog(d, "j-" + store + "-join-store");
		}
	}

	public static void main(String[] args) {
		System.out.println("# Made by tests/tools/JoinVectors.java with Kafka Streams 4.3.1; ~ is null.");
		int seeds = args.length > 0 ? Integer.parseInt(args[0]) : 40;
		for (int seed = 1; seed <= seeds; seed++)
			run(seed);
		if (args.length == 0)
			run(82); /* several records of one key and time are parked at the last place that is looked at */
	}
}
