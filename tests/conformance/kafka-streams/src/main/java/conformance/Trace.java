package conformance;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.Headers;
import org.apache.kafka.streams.test.TestRecord;

/** What a run did, line by line, as the C side writes it (tests/conformance/trace.c). */
class Trace {
	private final StringBuilder lines = new StringBuilder();
	private final Map<String, Map<String, String>> changelogs = new TreeMap<>();
	private final Versions.Log versions = new Versions.Log();
	/** The last record of each key of versions is told, too. */
	private final boolean lastVersions;

	Trace(boolean lastVersions) {
		this.lastVersions = lastVersions;
	}

	void line(String line) {
		lines.append(line).append('\n');
	}

	/** ~ is null, "" is empty; what is not printable, and % and ~, as %XX. */
	static String text(byte[] bytes) {
		if (bytes == null)
			return "~";
		if (bytes.length == 0)
			return "\"\"";
		StringBuilder text = new StringBuilder();
		for (byte b : bytes)
			if (b > ' ' && b < 127 && b != '%' && b != '~' && b != '"')
				text.append((char) b);
			else
				text.append(String.format("%%%02x", b));
		return text.toString();
	}

	static String text(String s) {
		return text(s == null ? null : s.getBytes(StandardCharsets.UTF_8));
	}

	/** The reverse. */
	static byte[] bytes(String text) {
		if (text.equals("~"))
			return null;
		if (text.equals("\"\""))
			return new byte[0];
		byte[] to = new byte[text.length()];
		int n = 0;
		for (int i = 0; i < text.length(); i++)
			if (text.charAt(i) == '%') {
				to[n++] = (byte) Integer.parseInt(text.substring(i + 1, i + 3), 16);
				i += 2;
			} else {
				to[n++] = (byte) text.charAt(i);
			}
		return Arrays.copyOf(to, n);
	}

	static String headers(Headers headers) {
		StringBuilder text = new StringBuilder();
		for (Header h : headers)
			text.append(' ').append(h.key()).append('=').append(text(h.value()));
		return text.toString();
	}

	/** What was written to a topic that is not a changelog. */
	void out(String what, String topic, TestRecord<byte[], byte[]> r) {
		line(what + " " + topic + " " + text(r.key()) + " " + text(r.value()) + " " + r.timestamp()
				+ headers(r.headers()));
	}

	/** A dead letter, without what has another form there. */
	void letter(TestRecord<byte[], byte[]> r) {
		StringBuilder text = new StringBuilder("letter " + text(r.key()) + " " + text(r.value()));
		Header topic = r.headers().lastHeader("__streams.errors.topic");
		boolean internal = topic.value() != null && new String(topic.value()).startsWith("app-");
		for (String name : List.of("topic", "partition", "offset", "message")) {
			byte[] value = r.headers().lastHeader("__streams.errors." + name).value();
			if (value != null && !(internal && name.equals("offset")))
				text.append(' ').append(name).append('=').append(text(value));
		}
		line(text.toString());
	}

	/** A changelog's record; the last one of each key is told at the end. */
	void changelog(String topic, byte[] key, byte[] value, long timestamp, String headers) {
		String noted = versions.key(topic, text(key), timestamp);
		if (noted == null)
			return;
		Map<String, String> last = changelogs.computeIfAbsent(topic, t -> new TreeMap<>());
		last.put(noted, text(value) + " " + timestamp + headers);
		if (lastVersions)
			last.put(text(key), text(value) + " " + timestamp + headers);
	}

	/** The keys of a changelog. */
	Set<String> noted(String topic) {
		return changelogs.getOrDefault(topic, Map.of()).keySet();
	}

	/** That of a suppressed table's buffer: its records have no time of their own. */
	void buffer(String topic, byte[] key, byte[] value) {
		changelogs.computeIfAbsent(topic, t -> new TreeMap<>()).put(text(key), text(value) + " -");
	}

	void changelogs() {
		changelogs.forEach((topic, last) -> last
				.forEach((key, value) -> line("log " + topic + " " + key + " " + value)));
	}

	@Override
	public String toString() {
		return lines.toString();
	}
}
