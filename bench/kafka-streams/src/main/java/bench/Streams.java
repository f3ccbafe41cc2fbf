package bench;

import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.common.Metric;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.streams.CloseOptions;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.processor.StateRestoreListener;

/**
 * Streams W1..W7 BOOTSTRAP [--in TOPIC] [--right TOPIC] [--out TOPIC] [--serve] [-X KEY=VALUE]... : as bench/streams.c.
 * Runs until the group's committed positions are the inputs' ends, prints a line of key=value, leaves. With --serve it
 * runs until its standard input closes.
 */
public final class Streams {
	private final String w;
	private final String[] in;
	private final boolean serve;
	private final Properties config = new Properties();
	private final KafkaStreams streams;
	private final AtomicLong restored = new AtomicLong(), restoreBegan = new AtomicLong(), restoreEnded = new AtomicLong();
	private final AtomicInteger storesRestored = new AtomicInteger();
	private final AtomicLong running = new AtomicLong();
	private volatile boolean dead;

	private Streams(String[] args) {
		String left = null, right = "w6-right", out = null;
		boolean untilClosed = false;

		w = args[0];
		config.put("bootstrap.servers", args[1]);
		config.put("application.id", "streams-" + w + "-" + System.nanoTime());
		config.put("processing.guarantee", w.equals("W2") ? "exactly_once_v2" : "at_least_once");
		config.put("commit.interval.ms", w.equals("W2") ? 100 : 1000);
		config.put("replication.factor", 1);
		for (int i = 2; i < args.length; i++)
			switch (args[i]) {
			case "--in" -> left = args[++i];
			case "--right" -> right = args[++i];
			case "--out" -> out = args[++i];
			case "--serve" -> untilClosed = true;
			case "-X" -> { String[] pair = args[++i].split("=", 2); config.put(pair[0], pair[1]); }
			default -> throw new IllegalArgumentException(args[i]);
			}
		serve = untilClosed;
		if (left == null)
			left = switch (w) { case "W3", "W4" -> "w3-in"; case "W6" -> "w6-left"; case "W7" -> "w7-in"; default -> "w1-in"; };
		in = w.equals("W6") ? new String[] {left, right} : new String[] {left};
		if (out == null)
			out = (w.equals("W4") ? "w3" : w.toLowerCase()) + "-out";
		streams = new KafkaStreams(Workloads.topology(w, in, out), config);
		streams.setStateListener((now, before) -> {
			if (now == KafkaStreams.State.RUNNING)
				running.compareAndSet(0, System.nanoTime());
			dead |= now == KafkaStreams.State.ERROR;
		});
		streams.setGlobalStateRestoreListener(new StateRestoreListener() {
			@Override public void onRestoreStart(TopicPartition p, String store, long from, long to) { restoreBegan.compareAndSet(0, System.nanoTime()); }
			@Override public void onBatchRestored(TopicPartition p, String store, long end, long n) { restored.addAndGet(n); }
			@Override public void onRestoreEnd(TopicPartition p, String store, long n) { storesRestored.incrementAndGet(); restoreEnded.set(System.nanoTime()); }
		});
	}

	private double sum(String group, String name) {
		double total = 0;

		for (var e : streams.metrics().entrySet())
			if (e.getKey().name().equals(name) && e.getKey().group().equals(group) && e.getValue().metricValue() instanceof Number n)
				total += n.doubleValue();
		return total;
	}

	private void mustLive() {
		if (dead)
			throw new IllegalStateException("Kafka Streams has ended; see its log");
	}

	private static Map<TopicPartition, Long> ends(Admin admin, List<String> topics) throws Exception {
		Map<TopicPartition, OffsetSpec> query = new HashMap<>();
		Map<TopicPartition, Long> ends = new HashMap<>();

		for (var t : admin.describeTopics(topics).allTopicNames().get().values())
			for (var p : t.partitions())
				query.put(new TopicPartition(t.name(), p.partition()), OffsetSpec.latest());
		admin.listOffsets(query).all().get().forEach((p, o) -> ends.put(p, o.offset()));
		return ends;
	}

	private void awaitCommitted(Admin admin, Map<TopicPartition, Long> ends) throws Exception {
		for (;; Thread.sleep(25)) {
			var committed = admin.listConsumerGroupOffsets(config.getProperty("application.id")).partitionsToOffsetAndMetadata().get();
			boolean all = true;

			for (var e : ends.entrySet()) {
				OffsetAndMetadata o = committed.get(e.getKey());

				all &= e.getValue() == 0 || (o != null && o.offset() >= e.getValue());
			}
			if (all)
				return;
			mustLive();
		}
	}

	/** Kept per stream thread, and read without cost to it. */
	private List<Metric> processed() throws InterruptedException {
		int threads = Integer.parseInt(config.getOrDefault("num.stream.threads", "1").toString());

		for (;; Thread.sleep(1)) {
			List<Metric> found = new ArrayList<>();

			for (var e : streams.metrics().entrySet())
				if (e.getKey().name().equals("process-total") && e.getKey().group().equals("stream-thread-metrics"))
					found.add(e.getValue());
			if (found.size() >= threads)
				return found;
		}
	}

	private static double total(List<Metric> metrics) {
		return metrics.stream().mapToDouble(m -> ((Number) m.metricValue()).doubleValue()).sum();
	}

	private String process(Admin admin) throws Exception {
		List<String> topics = new ArrayList<>(List.of(in));
		Map<TopicPartition, Long> ends = ends(admin, topics);
		long n = ends.values().stream().mapToLong(v -> v).sum(), expected = w.equals("W7") ? 2 * n : n;
		long first = 0, firstEpochMs = 0;

		streams.start();
		List<Metric> processed = processed();
		for (double done = 0; done < expected; ) {
			mustLive();
			Thread.sleep(first == 0 ? 2 : 10);
			done = total(processed);
			if (done > 0 && first == 0) {
				first = System.nanoTime();
				firstEpochMs = System.currentTimeMillis();
			}
		}
		double wall = (System.nanoTime() - first) / 1e9;

		if (w.equals("W7")) {
			for (String t : admin.listTopics().names().get())
				if (t.startsWith(config.getProperty("application.id") + "-") && t.endsWith("-repartition"))
					topics.add(t);
			ends = ends(admin, topics);
		}
		awaitCommitted(admin, ends);
		return String.format("n=%d records_s=%.0f wall_s=%.3f first_epoch_ms=%d commits=%.0f dropped=%.0f", n, n / wall, wall, firstEpochMs,
			sum("stream-thread-metrics", "commit-total"), sum("stream-task-metrics", "dropped-records-total"));
	}

	private String restore(Admin admin) throws Exception {
		int partitions = ends(admin, List.of(in)).size();
		long began = System.nanoTime();

		streams.start();
		while (running.get() == 0 || storesRestored.get() < partitions) {
			mustLive();
			Thread.sleep(2);
		}
		double wall = (restoreEnded.get() - restoreBegan.get()) / 1e9;

		return String.format("n=%d records_s=%.0f wall_s=%.3f restored=%d running_s=%.3f", restored.get(), restored.get() / wall, wall,
			restored.get(), (Math.max(running.get(), restoreEnded.get()) - began) / 1e9);
	}

	private String serve() throws Exception {
		streams.start();
		while (running.get() == 0) {
			mustLive();
			Thread.sleep(2);
		}
		System.out.println("running");
		while (System.in.read() >= 0)
			;
		return String.format("n=%.0f commits=%.0f restored=%d", sum("stream-thread-metrics", "process-total"),
			sum("stream-thread-metrics", "commit-total"), restored.get());
	}

	public static void main(String[] args) throws Exception {
		Streams s = new Streams(args);
		String line;

		try (Admin admin = Admin.create(Map.of("bootstrap.servers", args[1]))) {
			line = s.serve ? s.serve() : s.w.equals("W4") ? s.restore(admin) : s.process(admin);
			/* Its default is to stay in the group; the next run would then wait for the session to end. */
			s.streams.close(CloseOptions.timeout(Duration.ofSeconds(60))
				.withGroupMembershipOperation(CloseOptions.GroupMembershipOperation.LEAVE_GROUP));
		}
		System.out.println("w=" + s.w + " " + line);
		System.exit(0);
	}
}
