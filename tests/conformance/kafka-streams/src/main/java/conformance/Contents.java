package conformance;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import org.apache.kafka.streams.KeyValue;
import org.apache.kafka.streams.kstream.Windowed;
import org.apache.kafka.streams.processor.StateStore;
import org.apache.kafka.streams.state.AggregationWithHeaders;
import org.apache.kafka.streams.state.KeyValueIterator;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.ReadOnlyKeyValueStore;
import org.apache.kafka.streams.state.ReadOnlyWindowStore;
import org.apache.kafka.streams.state.SessionStore;
import org.apache.kafka.streams.state.ValueAndTimestamp;
import org.apache.kafka.streams.state.ValueTimestampHeaders;
import org.apache.kafka.streams.state.VersionedKeyValueStore;
import org.apache.kafka.streams.state.WindowStore;
import org.apache.kafka.streams.state.internals.CachedStateStore;
import org.apache.kafka.streams.state.internals.WrappedStateStore;

/**
 * The content of stores as such: their caches, which know nothing of retention and may hold what has expired, are
 * emptied first. One "store NAME KEY[@START[-END]] VALUE TIMESTAMP" for each entry, sorted.
 */
class Contents {
	private static boolean timed;

	/** `timed`: values with headers have a time of their own. */
	static List<String> lines(String name, StateStore store, Trace trace, boolean timed) {
		Contents.timed = timed;
		if (store instanceof VersionedKeyValueStore)
			return Versions.lines(name, store, trace);
		List<String> lines = new ArrayList<>();
		/* What has no text of its own: the changelog is compared. */
		if (name.endsWith("-subscription-store") || name.endsWith("-shared-join-store"))
			return lines;
		clearCaches(store);
		if (store instanceof WindowStore)
			add(lines, name, ((ReadOnlyWindowStore<?, ?>) store).all());
		else if (store instanceof SessionStore)
			addSessions(lines, name, (SessionStore<?, ?>) store);
		else if (store instanceof KeyValueStore)
			add(lines, name, ((ReadOnlyKeyValueStore<?, ?>) store).all());
		Collections.sort(lines);
		return lines;
	}

	private static void clearCaches(StateStore store) {
		for (StateStore s = store; s instanceof WrappedStateStore; s = ((WrappedStateStore<?, ?, ?>) s).wrapped())
			if (s instanceof CachedStateStore)
				((CachedStateStore<?, ?>) s).clearCache();
	}

	private static String key(Object key) {
		if (!(key instanceof Windowed))
			return Trace.text(Functions.text(key));
		Windowed<?> w = (Windowed<?>) key;
		return Trace.text(Functions.text(w.key())) + "@" + w.window().start();
	}

	private static String value(Object value) {
		if (value instanceof ValueTimestampHeaders<?> v) /* of a join: no time of its own */
			return Trace.text(Functions.text(v.value())) + " " + (timed ? "" + v.timestamp() : "-");
		if (value instanceof AggregationWithHeaders<?> a)
			return Trace.text(Functions.text(a.aggregation())) + " -";
		if (!(value instanceof ValueAndTimestamp))
			return Trace.text(Functions.text(value)) + " -";
		ValueAndTimestamp<?> v = (ValueAndTimestamp<?>) value;
		return Trace.text(Functions.text(v.value())) + " " + v.timestamp();
	}

	private static void add(List<String> lines, String name, KeyValueIterator<?, ?> it) {
		try (it) {
			while (it.hasNext()) {
				KeyValue<?, ?> e = it.next();
				lines.add("store " + name + " " + key(e.key) + " " + value(e.value));
			}
		}
	}

	private static void addSessions(List<String> lines, String name, SessionStore<?, ?> store) {
		try (KeyValueIterator<? extends Windowed<?>, ?> it = store.findSessions(null, null, 0, Long.MAX_VALUE)) {
			while (it.hasNext()) {
				KeyValue<? extends Windowed<?>, ?> e = it.next();
				lines.add("store " + name + " " + key(e.key) + "-" + e.key.window().end() + " " + value(e.value));
			}
		}
	}
}
