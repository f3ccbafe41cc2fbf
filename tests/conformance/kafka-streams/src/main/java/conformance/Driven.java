package conformance;

import java.io.File;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.TreeMap;
import java.util.TreeSet;
import org.apache.kafka.common.Metric;
import org.apache.kafka.common.header.internals.RecordHeaders;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.TestInputTopic;
import org.apache.kafka.streams.TestOutputTopic;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.TopologyTestDriver;
import org.apache.kafka.streams.processor.StateStore;
import org.apache.kafka.streams.test.TestRecord;

/** One run of a case under TopologyTestDriver. */
class Driven implements AutoCloseable {
	static final String APPLICATION = "app";
	/** The wall clock's beginning: a round time, so that what is aligned to it shows. */
	private static final Instant START = Instant.parse("2024-01-01T00:00:00Z");

	private final Trace trace;
	private final TopologyTestDriver driver;
	private final Map<String, TestInputTopic<byte[], byte[]>> inputs = new TreeMap<>();
	private final Map<String, TestOutputTopic<byte[], byte[]>> outputs = new TreeMap<>();
	private final List<Metric> dropped = new ArrayList<>();
	private double droppedBefore;
	/** NULL = the case names none. */
	private final String letters;
	/** Changelogs of suppressed tables. */
	private final TreeSet<String> buffers = new TreeSet<>();
	/** Changelogs whose records have headers. */
	private final TreeSet<String> withHeaders = new TreeSet<>();

	/** Of all changelogs. */
	private final boolean logHeaders;
	/** Stores of tables and aggregates keep headers, of which nothing is told. */
	private final boolean format;

	Driven(Case c, Trace trace) {
		this.trace = trace;
		logHeaders = c.config.containsKey("__log-headers");
		format = "HEADERS".equals(c.config.get(StreamsConfig.DSL_STORE_FORMAT_CONFIG));
		letters = c.config.get(StreamsConfig.ERRORS_DEAD_LETTER_QUEUE_TOPIC_NAME_CONFIG);
		c.steps.stream().filter(s -> s.op().equals("suppress"))
				.forEach(s -> buffers.add(APPLICATION + "-" + s.name() + "-store-changelog"));
		c.steps.stream().filter(s -> s.op().equals("with-headers"))
				.forEach(s -> withHeaders.add(APPLICATION + "-" + s.name() + "-changelog"));
		Properties p = new Properties();
		p.put(StreamsConfig.APPLICATION_ID_CONFIG, APPLICATION);
		p.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, "nowhere:1");
		p.put(StreamsConfig.STATE_DIR_CONFIG, stateDirectory());
		p.put(StreamsConfig.DSL_STORE_SUPPLIERS_CLASS_CONFIG,
				"org.apache.kafka.streams.state.BuiltInDslStoreSuppliers$InMemoryDslStoreSuppliers");
		c.config.forEach((name, value) -> {
			if (name.equals("store") && value.equals("rocksdb"))
				p.remove(StreamsConfig.DSL_STORE_SUPPLIERS_CLASS_CONFIG);
			else if (!name.equals("store"))
				p.put(name, value);
		});
		Topology topology = c.topology(trace, p);
		driver = new TopologyTestDriver(topology, p, START);
		driver.metrics().values().stream().filter(m -> m.metricName().name().equals("dropped-records-total"))
				.forEach(dropped::add);
	}

	private static String stateDirectory() {
		File memory = new File("/dev/shm");
		File in = memory.isDirectory() ? memory : new File(System.getProperty("java.io.tmpdir"));
		return new File(in, "weir-conformance-" + ProcessHandle.current().pid()).getPath();
	}

	/** One line of input. */
	void step(String line) {
		String[] words = line.split(" ");
		trace.line(line);
		if (words[0].equals("wall")) {
			driver.advanceWallClockTime(Duration.ofMillis(Long.parseLong(words[1])));
		} else {
			RecordHeaders headers = new RecordHeaders();
			for (int i = 5; i < words.length; i++) {
				int equals = words[i].indexOf('=');
				headers.add(words[i].substring(0, equals), Trace.bytes(words[i].substring(equals + 1)));
			}
			inputs.computeIfAbsent(words[1],
					t -> driver.createInputTopic(t, new ByteArraySerializer(), new ByteArraySerializer()))
					.pipeInput(new TestRecord<>(Trace.bytes(words[2]), Trace.bytes(words[3]), headers,
							Long.parseLong(words[4])));
		}
		tell();
	}

	/** What has come out since the last time: of topics outside, then of those between parts of the topology. */
	private void tell() {
		for (String topic : new TreeSet<>(driver.producedTopicNames()))
			if (!topic.startsWith(APPLICATION + "-") && !topic.equals(letters))
				read(topic).forEach(r -> trace.out("out", topic, r));
		for (String topic : new TreeSet<>(driver.producedTopicNames()))
			if (buffers.contains(topic))
				read(topic).forEach(r -> trace.buffer(topic, r.key(), Windows.withoutOffset(r.value())));
			else if (topic.endsWith("-changelog"))
				read(topic).forEach(r -> trace.changelog(topic, r.key(), r.value(),
						r.timestamp() == null ? -1 : r.timestamp(),
						withHeaders.contains(topic) || logHeaders ? Trace.headers(r.headers()) : ""));
			else if (topic.startsWith(APPLICATION + "-"))
				read(topic).forEach(r -> trace.out("via", topic, r));
		if (letters != null && driver.producedTopicNames().contains(letters))
			read(letters).forEach(trace::letter);
		tellDropped();
	}

	private List<TestRecord<byte[], byte[]>> read(String topic) {
		return outputs.computeIfAbsent(topic,
				t -> driver.createOutputTopic(t, new ByteArrayDeserializer(), new ByteArrayDeserializer()))
				.readRecordsToList();
	}

	private void tellDropped() {
		double sum = 0;
		for (Metric m : dropped)
			sum += (Double) m.metricValue();
		if (sum > droppedBefore)
			trace.line("dropped " + (long) (sum - droppedBefore));
		droppedBefore = sum;
	}

	/** What the stores hold in the end, then what stands in the changelogs. */
	void finish() {
		for (Map.Entry<String, StateStore> e : new TreeMap<>(driver.getAllStateStores()).entrySet())
			Contents.lines(e.getKey(), e.getValue(), trace, format && !e.getKey().endsWith("-join-store"))
					.forEach(trace::line);
		trace.changelogs();
	}

	@Override
	public void close() {
		driver.close();
	}
}
