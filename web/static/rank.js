// The five best and the five worst.

import { chartOn, inWords } from "./charts.js";
import { byId, counted, el, EMPTY, number, parted, svg, windowClock } from "./format.js";

function itemFor(place, link) {
	const [name, rest] = parted(place);
	const item = el("li", {},
		el("a", { href: link(place) }, name, ...(rest ? [el("small", {}, rest)] : [])),
		el("b"),
		svg("svg", { class: "bar", viewBox: "0 0 100 8", preserveAspectRatio: "none", "aria-hidden": "true" },
			svg("rect", { class: "behind", height: 8, width: 0 }), svg("rect", { class: "value", height: 8 })));
	item.place = place;
	return item;
}

/** Puts places with their values into a list of bars. of(place), if given, is the whole that a value is a part of, in tweets. */
export function showRank(list, places, { link, of }) {
	const most = Math.max(1, ...places.map((one) => of?.(one.place) ?? one.value));
	places.forEach((one, i) => {
		let item = list.children[i];
		if (item?.place !== one.place) {
			const fresh = itemFor(one.place, link);
			if (item)
				item.replaceWith(fresh);
			else
				list.append(fresh);
			item = fresh;
		}
		const whole = of?.(one.place), width = (value) => ((100 * value) / most).toFixed(2);
		item.querySelector("b").replaceChildren(number(one.value),
			...(of ? [el("small", {}, ` of ${counted(whole, "tweet", "tweets")}`)] : []));
		item.querySelector(".value").setAttribute("width", width(one.value));
		item.querySelector(".behind").setAttribute("width", width(whole ?? 0));
	});
	while (list.children.length > places.length)
		list.lastChild.remove();
}

function showAgainst(chart, data, cities) {
	const clock = windowClock(data.window_seconds, data.since_seconds);
	const labels = data.points.map((point) => clock(point.time));
	chart.show({
		labels, open: data.live,
		series: cities.map((city, i) => ({ label: parted(city.place)[0], colour: "line-" + (i + 1), values: city.trend })),
		text: "Line chart. " + cities.map((city) => `${city.place}: ${inWords(labels, city.trend)}.`).join(" "),
	});
}

export function rankPage(context) {
	const worst = document.body.dataset.page === "worst", metric = worst ? "retweets" : "tweets";
	const chart = chartOn(byId("lines"), { legend: true, dotsUpTo: 12 });
	return {
		show(data) {
			const places = worst ? data.worst : data.top;
			const byPlace = new Map(data.cities.map((city) => [city.place, city]));
			const cities = places.map((one) => byPlace.get(one.place)).filter(Boolean);
			showRank(byId(worst ? "worst" : "top"), places, {
				link: (place) => `/metrics/${metric}/${encodeURIComponent(place)}${context.queryWith()}`,
				of: worst ? (place) => byPlace.get(place)?.tweets ?? 0 : null,
			});
			byId("empty").hidden = places.length > 0;
			byId("empty").textContent = EMPTY;
			byId("compare").hidden = !cities[0]?.trend;
			if (cities[0]?.trend)
				showAgainst(chart, data, cities);
		},
	};
}
