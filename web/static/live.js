// The connection to /api/live: reconnects, notices silence, falls back to asking, and rests while nobody looks.

const SILENCE_MS = 30000; // the server says something every ten seconds
const ASK_MS = 5000;

/**
 * follow(query, on): on.snapshot(data, fresh) for each new snapshot, fresh when some may have been missed before it; on.state(state) for "live", "away" (connected, but the server's
 * data are away) and "lost". Returns a function that ends it.
 */
export function follow(query, on) {
	let source = null, timer = 0, asking = false, ended = false, fresh = true;

	const heard = (state) => {
		clearTimeout(timer);
		timer = setTimeout(lose, SILENCE_MS);
		if (state)
			on.state(state);
	};

	function open() {
		if (ended || document.hidden)
			return;
		source?.close();
		source = new EventSource("/api/live" + query);
		source.onopen = () => {
			fresh = true;
		};
		source.onmessage = (event) => {
			heard("live");
			on.snapshot(JSON.parse(event.data), fresh);
			fresh = false;
		};
		source.addEventListener("away", () => heard("away"));
		source.addEventListener("beat", () => heard());
		source.onerror = () => {
			on.state("lost");
			if (source.readyState === EventSource.CLOSED) // refused, perhaps because too many are there: it does not try again
				ask();
		};
		heard();
	}

	function lose() {
		on.state("lost");
		open();
	}

	// Without a stream: ask for a snapshot now and then, and try the stream again each time it works.
	async function ask() {
		if (asking)
			return;
		asking = true;
		clearTimeout(timer);
		for (let tries = 0; !ended && !document.hidden && source?.readyState === EventSource.CLOSED; tries++) {
			try {
				const answer = await fetch("/api/snapshot" + query);
				if (answer.ok) {
					on.snapshot(await answer.json(), false);
					on.state("live");
				} else {
					on.state(answer.status === 503 ? "away" : "lost");
				}
				if (tries % 3 === 2) {
					asking = false;
					return open();
				}
			} catch {
				on.state("lost");
			}
			await new Promise((done) => setTimeout(done, ASK_MS * (0.7 + Math.random() * 0.6)));
		}
		asking = false;
	}

	// A hidden page gives its connection back: a browser has only six for each server.
	function turn() {
		if (document.hidden) {
			source?.close();
			clearTimeout(timer);
		} else {
			open();
		}
	}

	document.addEventListener("visibilitychange", turn);
	open();
	return () => {
		ended = true;
		clearTimeout(timer);
		source?.close();
		document.removeEventListener("visibilitychange", turn);
	};
}
