package conformance;

import static conformance.Functions.text;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.Headers;
import org.apache.kafka.common.serialization.Deserializer;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.serialization.Serializer;
import org.apache.kafka.streams.kstream.Consumed;
import conformance.Graph.Keys;
import conformance.Graph.Node;

/** Serdes that have no text of their own; the same names as in tests/conformance/serdes.c. */
class SerdeSteps {
	@SuppressWarnings({ "unchecked", "rawtypes" })
	private static Serde<Object> listOf(Serde<?> inner) {
		return (Serde) Serdes.ListSerde(ArrayList.class, (Serde) inner);
	}

	@SuppressWarnings({ "unchecked", "rawtypes" })
	static final Serde<Object> VOID = (Serde) Serdes.Void();

	private static Serde<Object> serde(String of) {
		return switch (of) {
		case "text" -> listOf(Serdes.String());
		case "longs" -> listOf(Serdes.Long());
		case "shorts" -> listOf(Serdes.Short());
		case "booleans" -> listOf(Serdes.Boolean());
		case "lists" -> listOf(listOf(Serdes.String()));
		default -> throw new IllegalArgumentException(of);
		};
	}

	/** What a letter becomes in a list; d is null. */
	private static Object entry(char letter, String of) {
		if (letter == 'd')
			return null;
		return switch (of) {
		case "longs" -> (long) letter;
		case "shorts" -> (short) -letter;
		case "booleans" -> letter % 2 == 1;
		case "lists" -> new ArrayList<>(List.of("" + letter, "" + letter));
		default -> "" + letter;
		};
	}

	private static List<Object> list(String value, String of) {
		List<Object> list = new ArrayList<>();
		for (char letter : value.toCharArray())
			list.add(entry(letter, of));
		return list;
	}

	private static String shown(Object entry) {
		if (!(entry instanceof List))
			return entry == null ? "~" : entry.toString();
		StringBuilder all = new StringBuilder();
		for (Object one : (List<?>) entry)
			all.append(all.isEmpty() ? "" : ",").append(shown(one));
		return "[" + all + "]";
	}

	/** Text, with its length in a header; read, the length and how many headers there are follow it. */
	private static class Headed implements Serializer<Object>, Deserializer<Object> {
		@Override
		public byte[] serialize(String topic, Object text) {
			return text == null ? null : text.toString().getBytes(StandardCharsets.UTF_8);
		}

		@Override
		public byte[] serialize(String topic, Headers headers, Object text) {
			if (text != null)
				headers.add("length", Integer.toString(text.toString().length()).getBytes(StandardCharsets.US_ASCII));
			return serialize(topic, text);
		}

		@Override
		public void close() {
		}

		@Override
		public void configure(Map<String, ?> configs, boolean isKey) {
		}

		@Override
		public Object deserialize(String topic, byte[] bytes) {
			return bytes == null ? null : new String(bytes, StandardCharsets.UTF_8);
		}

		@Override
		public Object deserialize(String topic, Headers headers, byte[] bytes) {
			if (bytes == null)
				return null;
			Header length = headers.lastHeader("length");
			return deserialize(topic, bytes) + "/" + (length == null ? "~" : new String(length.value()))
					+ "/" + headers.toArray().length;
		}
	}

	private static final Serde<Object> HEADED = Serdes.serdeFrom(new Headed(), new Headed());

	static void register() {
		Steps.register("headed-source", (g, s) -> new Node(
				g.builder.stream(s.option("topic", s.name()), Consumed.with(Graph.TEXT, HEADED)), Keys.TEXT, 0, HEADED));
		Steps.register("to-headed", (g, s) -> g.input(s).with(g.input(s).stream().mapValues(v -> v), HEADED));
		Steps.register("to-list", (g, s) -> {
			String of = s.option("of", "");
			return g.input(s).with(g.input(s).stream().mapValues(v -> v == null ? null : (Object) list(text(v), of)),
					serde(of));
		});
		Steps.register("of-list", (g, s) -> g.input(s)
				.with(g.input(s).stream().mapValues(v -> v == null ? null : (Object) shown(v)), Graph.TEXT));
		Steps.register("to-void", (g, s) -> g.input(s).with(g.input(s).stream().mapValues(v -> (Object) null), VOID));
	}
}
