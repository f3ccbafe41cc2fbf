package conformance;

import java.io.BufferedReader;
import java.io.BufferedWriter;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.OutputStreamWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * Runs on standard input, each "run CASE SEED", lines of input, "end"; gives back the same with what Kafka Streams
 * makes of it. A case that is no file is told before: "case CASE", its lines, "end". Argument: the directory of the
 * others.
 */
public class Main {
	public static void main(String[] args) throws IOException {
		Path cases = Path.of(args[0]);
		Map<String, Case> known = new HashMap<>();
		BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.US_ASCII));
		BufferedWriter out = new BufferedWriter(new OutputStreamWriter(System.out, StandardCharsets.US_ASCII));
		List<String> input = new ArrayList<>();
		String run = null;
		for (String line; (line = in.readLine()) != null;) {
			if (line.startsWith("run ") || line.startsWith("case ")) {
				run = line;
				input.clear();
			} else if (!line.equals("end")) {
				input.add(line);
			} else {
				String name = run.split(" ")[1];
				if (run.startsWith("case ")) {
					known.put(name, new Case(name, input));
					continue;
				}
				Case c = known.get(name);
				if (c == null)
					known.put(name, c = new Case(cases, name));
				Trace trace = new Trace(c.as.contains("late-versions"));
				trace.line(run);
				try (Driven d = new Driven(c, trace)) {
					for (String i : input)
						d.step(i);
					d.finish();
				} catch (RuntimeException e) {
					e.printStackTrace();
					trace.line("failed " + e);
				}
				trace.line("end");
				out.write(trace.toString());
				out.flush();
			}
		}
	}
}
