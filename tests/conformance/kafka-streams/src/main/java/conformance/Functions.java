package conformance;

import java.util.ArrayList;
import java.util.List;
import org.apache.kafka.streams.kstream.Windowed;

/**
 * What the steps of a case can call, by name, "name" or "name:argument": the same as in tests/conformance/functions.c.
 * All of them see keys and values as text: of a windowed key the inner key, of a number its digits; null stays null.
 */
class Functions {
	interface Predicate {
		boolean test(String key, String value);
	}

	interface Mapper {
		String map(String key, String value);
	}

	interface Joiner {
		String join(String key, String left, String right);
	}

	interface Folder {
		String fold(String key, String value, String aggregate);
	}

	static String text(Object o) {
		return o == null ? null : o instanceof Windowed ? text(((Windowed<?>) o).key()) : o.toString();
	}

	static String shown(String s) {
		return s == null ? "~" : s;
	}

	private static String argument(String name) {
		int colon = name.indexOf(':');
		return colon < 0 ? "" : name.substring(colon + 1);
	}

	private static String word(String name) {
		int colon = name.indexOf(':');
		return colon < 0 ? name : name.substring(0, colon);
	}

	/** Where that is in the value, the step fails. */
	private static String check(String value, String a) {
		if (value != null && value.contains(a))
			throw new RuntimeException("no " + a);
		return value;
	}

	private static IllegalArgumentException unknown(String kind, String name) {
		return new IllegalArgumentException("no " + kind + " \"" + name + "\"");
	}

	static Predicate predicate(String name) {
		String a = argument(name);
		return switch (word(name)) {
		case "always" -> (k, v) -> true;
		case "fail" -> (k, v) -> check(v, a) == v;
		case "never" -> (k, v) -> false;
		case "odd" -> (k, v) -> v != null && !v.isEmpty() && v.charAt(v.length() - 1) % 2 == 1;
		case "has" -> (k, v) -> v != null && v.contains(a);
		case "null" -> (k, v) -> v == null;
		case "key" -> (k, v) -> a.equals(k);
		case "longer" -> (k, v) -> v != null && v.length() > Integer.parseInt(a);
		default -> throw unknown("predicate", name);
		};
	}

	static Mapper mapper(String name) {
		String a = argument(name);
		return switch (word(name)) {
		case "same" -> (k, v) -> v;
		case "fail" -> (k, v) -> check(v, a);
		case "key" -> (k, v) -> k;
		case "null" -> (k, v) -> null;
		case "fixed" -> (k, v) -> a;
		case "wrap" -> (k, v) -> v == null ? null : "(" + v + ")";
		case "both" -> (k, v) -> shown(k) + ":" + shown(v);
		case "first" -> (k, v) -> v == null || v.isEmpty() ? null : v.substring(0, 1);
		case "last" -> (k, v) -> v == null || v.isEmpty() ? null : v.substring(v.length() - 1);
		case "length" -> (k, v) -> v == null ? null : "" + v.length();
		case "drop" -> (k, v) -> v == null || v.contains(a) ? null : v; /* null where it contains that */
		default -> throw unknown("mapper", name);
		};
	}

	static Joiner joiner(String name) {
		String a = argument(name);
		return switch (word(name)) {
		case "both" -> (k, l, r) -> shown(l) + "+" + shown(r);
		case "keyed" -> (k, l, r) -> shown(k) + ":" + shown(l) + "+" + shown(r);
		case "fail" -> (k, l, r) -> shown(check(l, a)) + "+" + shown(check(r, a));
		case "left" -> (k, l, r) -> l;
		case "right" -> (k, l, r) -> r;
		case "drop" -> (k, l, r) -> (shown(l) + shown(r)).contains(a) ? null : shown(l) + "+" + shown(r);
		default -> throw unknown("joiner", name);
		};
	}

	private static long number(String s) {
		try {
			return s == null ? 0 : s.startsWith("+") ? s.length() : Long.parseLong(s);
		} catch (NumberFormatException e) {
			return s.length();
		}
	}

	/** Aggregators; they begin with a null aggregate. */
	static Folder folder(String name) {
		String a = argument(name);
		return switch (word(name)) {
		case "list" -> (k, v, agg) -> (agg == null ? "" : agg + ",") + (v == null ? "?" : v);
		case "list-until" -> /* that value deletes the aggregate */
			(k, v, agg) -> a.equals(v) ? null : (agg == null ? "" : agg + ",") + (v == null ? "?" : v);
		case "keyed" -> (k, v, agg) -> (agg == null ? k : agg) + shown(v);
		case "sum" -> (k, v, agg) -> "" + (number(agg) + number(v));
		case "minus" -> (k, v, agg) -> "" + (number(agg) - number(v));
		case "minus-gone" -> /* 0 deletes it */
			(k, v, agg) -> number(agg) == number(v) ? null : "" + (number(agg) - number(v));
		case "max" -> (k, v, agg) -> agg == null || shown(v).compareTo(agg) > 0 ? shown(v) : agg;
		case "last" -> (k, v, agg) -> v;
		case "fail" -> (k, v, agg) -> (agg == null ? "" : agg + ",") + (check(v, a) == null ? "?" : v);
		case "unlist-fail" -> (k, v, agg) -> shown(agg) + "-" + shown(check(v, a));
		case "unlist" -> (k, v, agg) -> shown(agg) + "-" + shown(v);
		default -> throw unknown("aggregator", name);
		};
	}

	/** Reducers, and mergers of sessions. */
	static Joiner reducer(String name) {
		String a = argument(name);
		return switch (word(name)) {
		case "plus" -> (k, x, y) -> shown(x) + "+" + shown(y);
		case "fail" -> (k, x, y) -> shown(x) + "+" + shown(check(y, a));
		case "minus" -> (k, x, y) -> shown(x) + "-" + shown(y);
		case "sum" -> (k, x, y) -> "" + (number(x) + number(y));
		case "last" -> (k, x, y) -> y;
		case "max" -> (k, x, y) -> shown(y).compareTo(shown(x)) > 0 ? y : x;
		case "drop" -> (k, x, y) -> (shown(x) + shown(y)).contains(a) ? null : shown(x) + "+" + shown(y);
		default -> throw unknown("reducer", name);
		};
	}

	/** Several values out of one: its characters, or itself twice. */
	static List<String> many(String name, String value) {
		List<String> out = new ArrayList<>();
		if (value == null)
			return out;
		switch (name) {
		case "letters" -> {
			for (char c : value.toCharArray())
				out.add("" + c);
		}
		case "twice" -> {
			out.add(value);
			out.add(value + "'");
		}
		default -> throw unknown("list", name);
		}
		return out;
	}
}
