package conformance;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.TopologyConfig;

/** A case file: its steps, one a line; "as", "config" and "gen" lines are not steps. See tests/conformance/README.md. */
class Case {
	record Step(String op, String name, List<String> inputs, Map<String, String> options) {
		String option(String name, String otherwise) {
			return options.getOrDefault(name, otherwise);
		}

		String fn() {
			return options.get("fn");
		}

		long number(String name) {
			return Long.parseLong(option(name, "0"));
		}
	}

	final String name;
	final List<Step> steps = new ArrayList<>();
	final Map<String, String> config = new LinkedHashMap<>();
	/** What weir does as Kafka Streams. */
	final Set<String> as = new HashSet<>();

	Case(Path directory, String name) throws IOException {
		this(name, Files.readAllLines(directory.resolve(name + ".case")));
	}

	/** One that is no file. */
	Case(String name, List<String> lines) {
		this.name = name;
		for (String line : lines) {
			if (line.isBlank() || line.startsWith("#"))
				continue;
			String[] words = line.trim().split("\\s+");
			List<String> inputs = new ArrayList<>();
			Map<String, String> options = new LinkedHashMap<>();
			for (int i = 1; i < words.length; i++) {
				int equals = words[i].indexOf('=');
				if (equals > 0)
					options.put(words[i].substring(0, equals), words[i].substring(equals + 1));
				else
					inputs.add(words[i]);
			}
			if (words[0].equals("as"))
				as.addAll(inputs);
			else if (words[0].equals("config"))
				config.putAll(options);
			else if (!words[0].equals("gen"))
				steps.add(new Step(words[0], inputs.remove(0), inputs, options));
		}
	}

	/** Made anew for each run; `trace` gets what steps have to say of themselves. */
	Topology topology(Trace trace, java.util.Properties properties) {
		StreamsBuilder builder = properties.containsKey(StreamsConfig.PROCESSOR_WRAPPER_CLASS_CONFIG)
				? new StreamsBuilder(new TopologyConfig(new StreamsConfig(properties)))
				: new StreamsBuilder();
		Graph graph = new Graph(builder, trace);
		Around.begin(trace);
		for (Step step : steps) {
			Around.next(builder, step);
			Steps.build(graph, step);
		}
		return builder.build(properties);
	}
}
