// The list of active cities: search, sort, and rows that stay the same elements as their numbers move.

import { sparkline } from "./charts.js";
import { byId, counted, el, EMPTY, folded, number, parted } from "./format.js";

const SHOWN_AT_FIRST = 100;

function rowFor(place, context) {
	const [name, rest] = parted(place);
	const link = el("a", { href: `/metrics/tweets/${encodeURIComponent(place)}${context.queryWith()}` }, name,
		...(rest ? [el("small", {}, rest)] : []));
	const line = el("td", { class: "line" }), tweets = el("td"), retweets = el("td");
	const row = el("tr", {}, el("th", { scope: "row" }, link), line, tweets, retweets);
	return { row, link, line, tweets, retweets, folded: folded(place), trend: "" };
}

function update(entry, city, open) {
	for (const metric of ["tweets", "retweets"]) {
		const text = number(city[metric]), cell = entry[metric];
		if (cell.textContent === text)
			continue;
		if (cell.textContent && city[metric] > entry.city[metric]) {
			cell.classList.remove("up");
			void cell.offsetWidth; // so that the mark begins anew
			cell.classList.add("up");
		}
		cell.textContent = text;
	}
	entry.city = city;
	// the open window would make every line fall at its end
	const values = open ? city.trend?.slice(0, -1) : city.trend, trend = String(values);
	if (entry.trend !== trend) {
		entry.trend = trend;
		entry.line.replaceChildren(...(values?.length > 1 ? [sparkline(values)] : []));
	}
}

export function cityTable(context, onPick) {
	const table = byId("cities"), body = byId("city-rows"), search = byId("search"), more = byId("more");
	const entries = new Map(); // by place
	let sort = { by: "tweets", falling: true }, order = [], all = false, focused = null, active = 0;

	const compare = (a, b) => {
		const x = entries.get(a).city, y = entries.get(b).city;
		const names = x.place < y.place ? -1 : 1;
		const way = sort.falling ? -1 : 1;
		if (sort.by === "place")
			return names * way;
		return (x[sort.by] - y[sort.by]) * way || names;
	};

	// Rows do not change places under a pointer or while the keyboard is among them.
	const busy = () => body.matches(":hover") || body.contains(document.activeElement);

	function arrange(keepOrder) {
		const kept = keepOrder ? order.filter((place) => entries.has(place)) : [];
		const held = new Set(kept);
		order = [...kept, ...[...entries.keys()].filter((place) => !held.has(place)).sort(compare)];
		const wanted = folded(search.value.trim());
		const found = order.filter((place) => entries.get(place).folded.includes(wanted));
		const shown = all || wanted ? found : found.slice(0, SHOWN_AT_FIRST);
		shown.forEach((place, i) => {
			const { row } = entries.get(place);
			if (body.children[i] !== row)
				body.insertBefore(row, body.children[i] ?? null);
		});
		while (body.children.length > shown.length)
			body.lastChild.remove();
		more.hidden = shown.length === found.length;
		more.textContent = `Show all ${number(found.length)} cities`;
		showEmpty(found.length, wanted);
	}

	function showEmpty(count, wanted) {
		const empty = byId("empty");
		empty.hidden = count > 0;
		if (!count)
			empty.textContent = wanted && active ? `No active city is called anything like “${search.value.trim()}”.` :
				EMPTY;
		table.hidden = count === 0;
		byId("found").textContent = wanted ? `${counted(count, "city", "cities")} found` : "";
	}

	for (const head of table.querySelectorAll("th[data-sort]")) {
		const by = head.dataset.sort, button = el("button", { type: "button" }, head.textContent);
		head.replaceChildren(button);
		button.addEventListener("click", () => {
			sort = { by, falling: sort.by === by ? !sort.falling : by !== "place" };
			for (const other of table.querySelectorAll("th[data-sort]"))
				other.removeAttribute("aria-sort");
			head.setAttribute("aria-sort", sort.falling ? "descending" : "ascending");
			arrange(false);
		});
	}
	search.addEventListener("input", () => arrange(false));
	search.addEventListener("keydown", (event) => {
		const link = event.key === "Enter" && body.querySelector("a");
		if (link)
			link.click();
	});
	more.addEventListener("click", () => {
		all = true;
		arrange(true);
	});
	body.addEventListener("click", (event) => {
		const link = event.target.closest("a");
		const entry = link && [...entries.values()].find((one) => one.link === link);
		if (!entry || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey)
			return;
		event.preventDefault();
		onPick(entry.city.place, link);
	});

	return {
		show(data) {
			const seen = new Set(data.cities.map((city) => city.place));
			for (const [place, entry] of entries)
				if (!seen.has(place)) {
					entry.row.remove();
					entries.delete(place);
				}
			if (!entries.size)
				body.replaceChildren(); // what the server had put there
			for (const city of data.cities) {
				if (!entries.has(city.place)) {
					entries.set(city.place, rowFor(city.place, context));
					this.mark(focused);
				}
				update(entries.get(city.place), city, data.live);
			}
			active = data.cities.length;
			arrange(busy());
		},
		/** Marks the city whose trends are shown. */
		mark(place) {
			focused = place;
			for (const [name, entry] of entries)
				if (name === place)
					entry.link.setAttribute("aria-current", "true");
				else
					entry.link.removeAttribute("aria-current");
		},
	};
}
