package conformance;

import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Set;
import org.apache.kafka.common.header.Headers;
import org.apache.kafka.common.header.internals.RecordHeaders;
import org.apache.kafka.streams.processor.PunctuationType;
import org.apache.kafka.streams.processor.api.FixedKeyProcessorSupplier;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.ProcessorSupplier;
import org.apache.kafka.streams.processor.api.ProcessorWrapper;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.processor.api.WrappedFixedKeyProcessorSupplier;
import org.apache.kafka.streams.processor.api.WrappedProcessorSupplier;
import org.apache.kafka.streams.state.StoreBuilder;

/** Put around processors, not around the DSL's own steps: what tests/conformance/failing.c puts around weir's. */
public class Wrapping implements ProcessorWrapper {
	/** Numbers what comes in by a header, leaves out each fifth, and has each third followed by a record of its own. */
	private static class Around<KIn, VIn, KOut, VOut> implements Processor<KIn, VIn, KOut, VOut> {
		private final Processor<KIn, VIn, KOut, VOut> inner;
		private ProcessorContext<KOut, VOut> context;
		private long records, ticks;

		Around(Processor<KIn, VIn, KOut, VOut> inner) {
			this.inner = inner;
		}

		@Override
		@SuppressWarnings("unchecked")
		public void init(ProcessorContext<KOut, VOut> context) {
			this.context = context;
			inner.init(context);
			context.schedule(Duration.ofMillis(37), PunctuationType.STREAM_TIME, time -> context
					.forward((Record<KOut, VOut>) new Record<>("around", "tick " + ++ticks + " of " + records, time)));
		}

		@Override
		@SuppressWarnings("unchecked")
		public void process(Record<KIn, VIn> record) {
			Headers headers = new RecordHeaders(record.headers().toArray());
			headers.add("number", Long.toString(++records).getBytes(StandardCharsets.US_ASCII));
			Record<KIn, VIn> numbered = record.withHeaders(headers);
			if (records % 5 != 0)
				inner.process(numbered);
			if (records % 3 == 0)
				context.forward((Record<KOut, VOut>) numbered.withValue((VIn) "behind"));
		}

		@Override
		public void close() {
			inner.close();
		}
	}

	@Override
	public <KIn, VIn, KOut, VOut> WrappedProcessorSupplier<KIn, VIn, KOut, VOut> wrapProcessorSupplier(String name,
			ProcessorSupplier<KIn, VIn, KOut, VOut> supplier) {
		if (!name.startsWith("KSTREAM-PROCESSOR-"))
			return ProcessorWrapper.asWrapped(supplier);
		return new WrappedProcessorSupplier<>() {
			@Override
			public Processor<KIn, VIn, KOut, VOut> get() {
				return new Around<>(supplier.get());
			}

			@Override
			public Set<StoreBuilder<?>> stores() {
				return supplier.stores();
			}
		};
	}

	@Override
	public <KIn, VIn, VOut> WrappedFixedKeyProcessorSupplier<KIn, VIn, VOut> wrapFixedKeyProcessorSupplier(String name,
			FixedKeyProcessorSupplier<KIn, VIn, VOut> supplier) {
		return ProcessorWrapper.asWrappedFixedKey(supplier);
	}
}
