/*
 * Writes tests/unit/murmur2_vectors.inc: what Kafka's own Java client makes of a set of keys.
 *
 *   java -cp kafka-clients-4.3.1.jar tests/tools/Murmur2Vectors.java > tests/unit/murmur2_vectors.inc
 */
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.apache.kafka.clients.producer.internals.BuiltInPartitioner;
import org.apache.kafka.common.utils.Utils;

public class Murmur2Vectors {
	public static void main(String[] args) {
		List<byte[]> keys = new ArrayList<>();
		Random random = new Random(1);
		for (int length = 0; length <= 16; length++) {
			keys.add("abcdefghijklmnop".substring(0, length).getBytes(StandardCharsets.US_ASCII));
			byte[] binary = new byte[length];
			random.nextBytes(binary);
			keys.add(binary);
		}
		for (String s : new String[] { "Montréal", "München", "東京", "Санкт-Петербург", "القاهرة", "São Paulo", "🦀",
				"CA/QC/Montreal", "key-1", "key-2", "user:1234567890", "a much longer key than any city has, to be sure" })
			keys.add(s.getBytes(StandardCharsets.UTF_8));
		keys.add(new byte[] { 0 });
		keys.add(new byte[] { 0, 0, 0, 0 });
		keys.add(new byte[] { -1, -1, -1, -1, -1 });
		keys.add(new byte[] { -128, 127, -127, 126, 0, -1, 1 });
		System.out.println("/* Made by tests/tools/Murmur2Vectors.java with kafka-clients 4.3.1: key, length, murmur2,"
				+ " partition of 6, partition of 1000. */");
		for (byte[] key : keys) {
			StringBuilder text = new StringBuilder();
			for (byte b : key)
				text.append(String.format("\\x%02x", b & 0xff));
			System.out.printf("{ \"%s\",%n\t%d, %d, %d, %d },%n", text, key.length, (long) Utils.murmur2(key),
					BuiltInPartitioner.partitionForKey(key, 6), BuiltInPartitioner.partitionForKey(key, 1000));
		}
	}
}
