package conformance;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/**
 * What the scripts need of a cluster: Tool BOOTSTRAP COMMAND [ARGUMENT...].
 *
 * topics PARTITIONS TOPIC...: these, new and empty, that keep their records
 * put BASE [PER-SECOND]: the lines "in TOPIC KEY VALUE TIMESTAMP" of the standard input; timestamps are since BASE
 * passed GROUP TOPIC COUNT: waits until it has committed so many more records of it
 * wait GROUP TOPIC...: until it has committed the ends of these, and of all others that it has begun to read
 * dump TOPIC...: all committed records, "TOPIC PARTITION KEY VALUE TIMESTAMP"
 * list PREFIX: topics
 */
public class Tool {
	private static final long PATIENCE_MS = 90_000;
	private final Properties properties = new Properties();

	private Tool(String bootstrap) {
		properties.put("bootstrap.servers", bootstrap);
	}

	public static void main(String[] args) throws Exception {
		Tool tool = new Tool(args[0]);
		List<String> rest = Arrays.asList(args).subList(2, args.length);
		try (Admin admin = Admin.create(tool.properties)) {
			switch (args[1]) {
			case "topics" -> tool.topics(admin, Integer.parseInt(rest.get(0)), rest.subList(1, rest.size()));
			case "put" -> tool.put(Long.parseLong(rest.get(0)), rest.size() > 1 ? Long.parseLong(rest.get(1)) : 0);
			case "passed" -> tool.passed(admin, rest.get(0), rest.get(1), Long.parseLong(rest.get(2)));
			case "wait" -> tool.await(admin, rest.get(0), rest.subList(1, rest.size()));
			case "dump" -> tool.dump(rest);
			case "list" -> new TreeSet<>(admin.listTopics().names().get()).stream()
					.filter(t -> t.startsWith(rest.get(0))).forEach(System.out::println);
			default -> throw new IllegalArgumentException(args[1]);
			}
		}
	}

	private void topics(Admin admin, int partitions, List<String> names) throws Exception {
		Set<String> there = admin.listTopics().names().get();
		List<String> old = names.stream().filter(there::contains).collect(Collectors.toList());
		admin.deleteTopics(old).all().get();
		while (!old.isEmpty() && admin.listTopics().names().get().stream().anyMatch(old::contains))
			Thread.sleep(100);
		admin.createTopics(names.stream()
				.map(n -> new NewTopic(n, partitions, (short) 1).configs(Map.of("retention.ms", "-1"))).toList()).all()
				.get();
	}

	private void put(long base, long perSecond) throws IOException, InterruptedException {
		BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.US_ASCII));
		try (var producer = new KafkaProducer<>(properties, new ByteArraySerializer(), new ByteArraySerializer())) {
			for (String line; (line = in.readLine()) != null;) {
				String[] words = line.split(" ");
				if (!words[0].equals("in"))
					continue;
				producer.send(new ProducerRecord<>(words[1], null, base + Long.parseLong(words[4]),
						Trace.bytes(words[2]), Trace.bytes(words[3])));
				if (perSecond > 0)
					Thread.sleep(1000 / perSecond);
			}
		}
	}

	private KafkaConsumer<byte[], byte[]> consumer() {
		Properties p = new Properties();
		p.putAll(properties);
		p.put("isolation.level", "read_committed");
		p.put("auto.offset.reset", "earliest");
		return new KafkaConsumer<>(p, new ByteArrayDeserializer(), new ByteArrayDeserializer());
	}

	private void await(Admin admin, String group, List<String> topics) throws Exception {
		long until = System.currentTimeMillis() + PATIENCE_MS;
		try (KafkaConsumer<byte[], byte[]> c = consumer()) {
			List<TopicPartition> wanted = new ArrayList<>();
			for (String topic : topics)
				c.partitionsFor(topic).forEach(p -> wanted.add(new TopicPartition(topic, p.partition())));
			c.endOffsets(wanted).forEach((p, end) -> {
				if (end == 0)
					wanted.remove(p);
			});
			for (int quiet = 0; quiet < 5; Thread.sleep(200)) {
				Map<TopicPartition, OffsetAndMetadata> at = admin.listConsumerGroupOffsets(group)
						.partitionsToOffsetAndMetadata().get();
				Map<TopicPartition, Long> ends = at.isEmpty() ? Map.of() : c.endOffsets(at.keySet());
				/* a position may stand before the last transaction's marker */
				boolean done = at.keySet().containsAll(wanted) && ends.entrySet().stream()
						.allMatch(e -> at.get(e.getKey()).offset() >= e.getValue() - (internal(group, e.getKey()) ? 1 : 0));
				quiet = done ? quiet + 1 : 0;
				if (System.currentTimeMillis() > until) {
					System.err.println("read: " + at.keySet());
					ends.forEach((p, end) -> System.err.println(p + ": " + at.get(p).offset() + " of " + end));
					throw new IllegalStateException(group + " does not come to the end");
				}
			}
		}
	}

	private static long committed(Admin admin, String group, String topic) throws Exception {
		return admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata().get().entrySet().stream()
				.filter(e -> e.getKey().topic().equals(topic)).mapToLong(e -> e.getValue().offset()).sum();
	}

	private void passed(Admin admin, String group, String topic, long count) throws Exception {
		long until = System.currentTimeMillis() + PATIENCE_MS, first = committed(admin, group, topic);
		while (committed(admin, group, topic) < first + count) {
			if (System.currentTimeMillis() > until)
				throw new IllegalStateException(group + " does not go on with " + topic);
			Thread.sleep(100);
		}
	}

	private static boolean internal(String group, TopicPartition p) {
		return p.topic().startsWith(group + "-");
	}

	private void dump(List<String> topics) {
		try (KafkaConsumer<byte[], byte[]> c = consumer()) {
			for (String topic : topics) {
				List<TopicPartition> all = new ArrayList<>();
				c.partitionsFor(topic).forEach(p -> all.add(new TopicPartition(topic, p.partition())));
				all.sort((a, b) -> a.partition() - b.partition());
				c.assign(all);
				c.seekToBeginning(all);
				Map<TopicPartition, Long> ends = c.endOffsets(all);
				while (all.stream().anyMatch(p -> c.position(p) < ends.get(p)))
					for (ConsumerRecord<byte[], byte[]> r : c.poll(Duration.ofMillis(100)))
						System.out.println(topic + " " + r.partition() + " " + Trace.text(r.key()) + " "
								+ Trace.text(r.value()) + " " + r.timestamp());
			}
		}
	}
}
