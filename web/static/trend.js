// A city's trends: three small ones on the front page, one large one on a page of its own.

import { chartOn, inWords } from "./charts.js";
import { byId, el, number, ordinal, parted, showNumber, windowClock } from "./format.js";

const TITLES = { tweets: "Tweets", retweets: "Retweets", users: "Users" };

/** Users of several windows cannot be added up: a person would count once for each. */
const whole = (metric, values) =>
	metric === "users" ? Math.max(0, ...values) : values.reduce((sum, value) => sum + value, 0);

function showTrend(chart, data, metric) {
	const clock = windowClock(data.window_seconds, data.since_seconds);
	const labels = data.focus.points.map((point) => clock(point.time));
	const values = data.focus.points.map((point) => point[metric]);
	chart.show({
		labels, open: data.live,
		series: [{ label: TITLES[metric], colour: metric, values, fill: true }],
		text: `Line chart. ${TITLES[metric]} in ${data.focus.place}: ${inWords(labels, values)}.`,
	});
	return { labels, values };
}

/** Small trends of one city, for each canvas of the panel that names a metric. */
export function cityTrends(panel, context) {
	const charts = [...panel.querySelectorAll("[data-trend]")].map((canvas) => [canvas.dataset.trend, chartOn(canvas)]);
	return {
		/** Before the first numbers of another city. */
		clear(place) {
			for (const [metric] of charts) {
				panel.querySelector(`[data-to=${metric}]`).href =
					`/metrics/${metric}/${encodeURIComponent(place)}${context.queryWith()}`;
				const sum = panel.querySelector(`[data-sum=${metric}]`);
				sum.textContent = "";
				sum.shown = undefined;
			}
		},
		show(data) {
			for (const [metric, chart] of charts) {
				const { values } = showTrend(chart, data, metric);
				showNumber(panel.querySelector(`[data-sum=${metric}]`), whole(metric, values));
			}
		},
	};
}

function showStanding(data, place, metric) {
	const own = data.cities.find((city) => city.place === place), element = byId("standing"), note = byId("standing-note");
	if (!own) {
		element.textContent = "–";
		note.textContent = "no posts in the time shown";
		return;
	}
	element.textContent = ordinal(1 + data.cities.filter((city) => city[metric] > own[metric]).length);
	note.textContent = `of ${number(data.cities.length)} active, by ${metric}`;
}

export function trendPage(context) {
	const { place, metric } = document.body.dataset, chart = chartOn(byId("trend"));
	const [name, rest] = parted(place);
	byId("place").replaceChildren(name, ...(rest ? [el("small", {}, rest)] : []));
	const others = byId("others");
	others.querySelector(`.${metric}`).remove();
	others.hidden = false;
	const trends = cityTrends(others, context);
	trends.clear(place);
	return {
		place,
		show(data) {
			const { labels, values } = showTrend(chart, data, metric), most = Math.max(...values), last = values.length - 1;
			showNumber(byId("sum"), whole(metric, values));
			showNumber(byId("newest"), values[last]);
			byId("peak").textContent = most ? `peak ${number(most)}, from ${labels[values.indexOf(most)]}` : "";
			byId("newest-note").textContent = `from ${labels[last]}${data.live ? ", still counting" : ""}`;
			showStanding(data, place, metric);
			trends.show(data);
			byId("trend-rows").replaceChildren(...values.map((value, i) =>
				el("tr", {}, el("th", { scope: "row" }, labels[i]), el("td", {}, number(value)))));
		},
	};
}
