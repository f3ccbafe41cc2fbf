// The front page: everything at once.

import { chartOn, inWords } from "./charts.js";
import { cityTable } from "./cities.js";
import { byId, decimal, el, number, percent, parted, showNumber, svg, windowClock } from "./format.js";
import { showRank } from "./rank.js";
import { cityTrends } from "./trend.js";

/* How fast tweets come in: what each known window has gained since the snapshot before. */
function speedometer() {
	const MINUTE = 60000;
	let before = null, begun = 0, added = 0, gains = [];

	return {
		add(data, now, fresh) {
			if (fresh && now - added > 5000) { // what came in meanwhile did not come just now
				before = null;
				gains = [];
			}
			added = now;
			const counts = new Map(data.points.map((point) => [point.time, point.tweets]));
			if (before) {
				const last = [...before.keys()].pop();
				let gain = 0;
				for (const [time, tweets] of counts)
					if (before.has(time) || time > last)
						gain += Math.max(0, tweets - (before.get(time) ?? 0));
				gains.push({ now, gain });
			} else {
				begun = now;
			}
			gains = gains.filter((one) => one.now > now - MINUTE);
			before = counts;
		},
		perMinute(now) {
			const watched = Math.min(MINUTE, now - begun);
			return watched < 3000 ? null : (gains.reduce((sum, one) => sum + one.gain, 0) * MINUTE) / watched;
		},
		/** Gains of the last minute in bars of two seconds, oldest first. */
		bars(now) {
			const bars = Array(30).fill(0);
			for (const one of gains)
				bars[29 - Math.min(29, Math.floor((now - one.now) / 2000))] += one.gain;
			return bars;
		},
	};
}

function showSpeed(speed, live) {
	const note = byId("rate"), now = Date.now(), rate = speed.perMinute(now);
	if (!live)
		return;
	note.textContent = rate === null ? "Taking the pulse…" :
		rate === 0 ? "Not one in the last minute" : `${rate < 10 ? decimal(rate) : number(Math.round(rate))} a minute right now`;
	const bars = speed.bars(now), most = Math.max(1, ...bars);
	byId("ticker").replaceChildren(...bars.map((bar, i) => svg("rect", {
		x: i * 4, width: 3, height: Math.max(1, (24 * bar) / most), y: 24 - Math.max(1, (24 * bar) / most),
	})));
}

function showTotals(data) {
	for (const part of ["tweets", "retweets", "cities"])
		showNumber(document.querySelector(`[data-total=${part}]`), data.total[part]);
	const { tweets, retweets } = data.total;
	byId("share").textContent = tweets ? `${percent(retweets / tweets)} of all tweets` : "";
	const first = data.top[0];
	byId("busiest").textContent = first ? `${parted(first.place)[0]} has ${percent(first.value / tweets)} of the tweets` : "";
}

function showOverall(chart, data) {
	const clock = windowClock(data.window_seconds, data.since_seconds);
	const labels = data.points.map((point) => clock(point.time));
	const tweets = data.points.map((point) => point.tweets), retweets = data.points.map((point) => point.retweets);
	chart.show({
		labels, open: data.live,
		series: [{ label: "Tweets", colour: "tweets", values: tweets, fill: true },
			 { label: "Retweets", colour: "retweets", values: retweets, fill: true }],
		text: `Line chart. Tweets: ${inWords(labels, tweets)}. Retweets: ${inWords(labels, retweets)}.`,
	});
	byId("overall-rows").replaceChildren(...data.points.map((point, i) =>
		el("tr", {}, el("th", { scope: "row" }, labels[i]), el("td", {}, number(point.tweets)),
			el("td", {}, number(point.retweets)))));
}

/* One city's three trends, beside the list. */
function focusPanel(context, onChange) {
	const panel = byId("focus"), title = byId("focus-title"), trends = cityTrends(panel, context);
	let place = null, opener = null;

	function set(next) {
		place = next;
		panel.hidden = !place;
		title.textContent = place ?? "";
		history.replaceState(null, "", place ? "#city=" + encodeURIComponent(place) : location.pathname + location.search);
		onChange(place);
	}
	byId("unfocus").addEventListener("click", () => {
		set(null);
		opener?.focus();
	});
	return {
		initial: new URLSearchParams(location.hash.slice(1)).get("city"),
		open(next, from) {
			opener = from;
			set(next);
			trends.clear(next);
			title.focus({ preventScroll: true });
			const { top } = panel.getBoundingClientRect();
			if (top < 0 || top > innerHeight - 200)
				panel.scrollIntoView();
		},
		close: () => set(null),
		get place() {
			return place;
		},
		show(data) {
			if (data.focus?.place !== place)
				return;
			byId("focus-empty").hidden = data.focus.known;
			trends.show(data);
		},
	};
}

export function frontPage(context) {
	const overall = chartOn(byId("overall")), speed = speedometer();
	const focus = focusPanel(context, (place) => {
		table.mark(place);
		if (started)
			context.followPlace(place);
	});
	const table = cityTable(context, (place, from) => (focus.place === place ? focus.close() : focus.open(place, from)));
	let started = false, data = null;

	if (focus.initial)
		focus.open(focus.initial, null);
	started = true;
	if (!context.at)
		setInterval(() => data && showSpeed(speed, true), 1000);
	return {
		place: focus.place,
		show(next, fresh) {
			data = next;
			speed.add(data, Date.now(), fresh);
			showTotals(data);
			showSpeed(speed, data.live);
			showOverall(overall, data);
			table.show(data);
			const link = (metric) => (place) => `/metrics/${metric}/${encodeURIComponent(place)}${context.queryWith()}`;
			showRank(byId("top"), data.top, { link: link("tweets") });
			const tweets = new Map(data.cities.map((city) => [city.place, city.tweets]));
			showRank(byId("worst"), data.worst, {
				link: link("retweets"),
				of: (place) => tweets.get(place) ?? 0,
			});
			focus.show(data);
		},
	};
}
