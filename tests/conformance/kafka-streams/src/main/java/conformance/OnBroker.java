package conformance;

import java.nio.file.Path;
import java.time.Duration;
import java.util.Properties;
import java.util.concurrent.CountDownLatch;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.streams.CloseOptions;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsConfig;

/**
 * A case as an application on a real cluster, exactly once, until it is told to end (SIGTERM), when it leaves the
 * group. Arguments: the directory of the cases, a case, bootstrap.servers, application.id, state.dir.
 */
public class OnBroker {
	public static void main(String[] args) throws Exception {
		Case c = new Case(Path.of(args[0]), args[1]);
		Properties p = new Properties();
		p.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, args[2]);
		p.put(StreamsConfig.APPLICATION_ID_CONFIG, args[3]);
		p.put(StreamsConfig.STATE_DIR_CONFIG, args[4]);
		p.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, StreamsConfig.EXACTLY_ONCE_V2);
		p.put(StreamsConfig.NUM_STREAM_THREADS_CONFIG, 2);
		p.put(StreamsConfig.REPLICATION_FACTOR_CONFIG, 1);
		p.put(ConsumerConfig.AUTO_OFFSET_RESET_CONFIG, "earliest");
		c.config.forEach((name, value) -> {
			if (!name.equals("store"))
				p.put(name, value);
		});
		KafkaStreams streams = new KafkaStreams(c.topology(new Trace(false), p), p);
		CountDownLatch end = new CountDownLatch(1);
		streams.setStateListener((now, before) -> {
			System.err.println("Kafka Streams: " + now);
			if (now == KafkaStreams.State.ERROR)
				Runtime.getRuntime().halt(1);
		});
		Runtime.getRuntime().addShutdownHook(new Thread(() -> {
			streams.close(CloseOptions.groupMembershipOperation(CloseOptions.GroupMembershipOperation.LEAVE_GROUP)
					.withTimeout(Duration.ofSeconds(30)));
			end.countDown();
		}));
		streams.start();
		end.await();
	}
}
