// The pages come complete from the server; from here on they move.

import { restyle } from "./charts.js";
import { byId, clockWithSeconds, momentOf } from "./format.js";
import { frontPage } from "./front.js";
import { follow } from "./live.js";
import { rankPage } from "./rank.js";
import { trendPage } from "./trend.js";

const { page, at, since } = document.body.dataset;

/** The query that keeps the moment and the span, with more added. */
function queryWith(more = {}) {
	const query = new URLSearchParams();
	if (at)
		query.set("at", at);
	if (since)
		query.set("since", since);
	for (const [name, value] of Object.entries(more))
		if (value)
			query.set(name, value);
	const text = query.toString();
	return text && "?" + text;
}

/* The state of the connection, in the header and, if it is bad, above the numbers. */

const said = {
	loading: () => ["Connecting…", ""],
	live: () => ["Live", ""],
	past: () => ["The past", ""],
	away: () => ["No data", "The numbers are out of reach for the moment. " + known() + "This page carries on by itself."],
	lost: () => ["Reconnecting…", "The line went dead. " + known() + "Trying again…"],
};
let newest = "";

const known = () => (newest ? `What you see is from ${clockWithSeconds(newest)}. ` : "");

function showState(state) {
	const pulse = byId("pulse"), banner = byId("banner"), [short, long] = said[state]();
	if (pulse.dataset.state !== state) {
		pulse.dataset.state = state;
		pulse.lastElementChild.textContent = short;
		banner.textContent = long;
		banner.hidden = !long;
		document.body.classList.toggle("stale", Boolean(long));
	}
	pulse.title = newest ? `Newest numbers: ${clockWithSeconds(newest)}` : "";
}

/* Times in the viewer's zone. */

function localTimes() {
	for (const time of document.querySelectorAll(".which time"))
		time.textContent = momentOf(time.dateTime);
	const input = document.querySelector("#picker input[name=at]");
	if (!input)
		return;
	const shown = new Date(at || Date.now()), pad = (n) => String(n).padStart(2, "0");
	input.type = "datetime-local";
	input.value = `${shown.getFullYear()}-${pad(shown.getMonth() + 1)}-${pad(shown.getDate())}` +
		`T${pad(shown.getHours())}:${pad(shown.getMinutes())}`;
	byId("picker").addEventListener("submit", (event) => {
		event.preventDefault();
		const query = new URLSearchParams(since ? { since } : {});
		query.set("at", new Date(input.value).toISOString().replace(".000", ""));
		location.search = query;
	});
}

/* Light and dark. */

function themeButton() {
	const button = byId("theme"), root = document.documentElement, dark = matchMedia("(prefers-color-scheme: dark)");
	button.hidden = false;
	button.addEventListener("click", () => {
		const now = root.dataset.theme ?? (dark.matches ? "dark" : "light");
		root.dataset.theme = now === "dark" ? "light" : "dark";
		try {
			localStorage.setItem("evilnet.theme", root.dataset.theme);
		} catch {
			// then it holds for this page only
		}
		restyle();
	});
	dark.addEventListener("change", restyle);
}

function start(makePage) {
	let end = () => {};
	const context = {
		at, since, queryWith,
		/** Follows the numbers, with the trends of `place` if it is given. */
		followPlace(place) {
			end();
			end = follow(queryWith({ place }), {
				state: (state) => showState(at && state === "live" ? "past" : state),
				snapshot(data, fresh) {
					newest = at ? "" : data.at;
					document.body.classList.add("counted");
					shown.show(data, fresh);
				},
			});
		},
	};
	const shown = makePage(context);
	context.followPlace(shown.place);
}

localTimes();
themeButton();
const makers = { front: frontPage, trend: trendPage, top: rankPage, worst: rankPage };
if (makers[page])
	start(makers[page]);
else
	byId("pulse").hidden = true;
