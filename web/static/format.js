// Numbers, times and elements. Everything that comes from outside goes into the page as text, never as markup.

const numbers = new Intl.NumberFormat();
const decimals = new Intl.NumberFormat(undefined, { maximumFractionDigits: 1 });
const percents = new Intl.NumberFormat(undefined, { style: "percent" });
const clock = new Intl.DateTimeFormat(undefined, { hour: "numeric", minute: "2-digit" });
const clockSeconds = new Intl.DateTimeFormat(undefined, { hour: "numeric", minute: "2-digit", second: "2-digit" });
const dayClock = new Intl.DateTimeFormat(undefined, { weekday: "short", hour: "numeric", minute: "2-digit" });
const moment = new Intl.DateTimeFormat(undefined, {
	weekday: "short", day: "numeric", month: "short", year: "numeric", hour: "numeric", minute: "2-digit",
});

export const number = (n) => numbers.format(n);
export const decimal = (n) => decimals.format(n);
export const percent = (share) => percents.format(share);
export const momentOf = (time) => moment.format(new Date(time));
export const clockWithSeconds = (time) => clockSeconds.format(new Date(time));

/** How a window's start is written: with seconds for narrow windows, with the day when a span reaches over one. */
export function windowClock(windowSeconds, sinceSeconds) {
	const format = windowSeconds % 60 ? clockSeconds : sinceSeconds >= 86400 ? dayClock : clock;
	return (time) => format.format(new Date(time));
}

/** 1st, 2nd, 3rd, 4th, ... */
export function ordinal(n) {
	const ends = { one: "st", two: "nd", few: "rd", other: "th" };
	return number(n) + ends[new Intl.PluralRules("en", { type: "ordinal" }).select(n)];
}

/** "1 city", "2 cities" */
export const counted = (n, one, many) => `${number(n)} ${n === 1 ? one : many}`;

/** "Montreal, Quebec" is Montreal, in Quebec. */
export function parted(place) {
	const comma = place.indexOf(",");
	return comma < 0 ? [place, ""] : [place.slice(0, comma), place.slice(comma)];
}

/** For searching: without case and accents. */
export const folded = (text) => text.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase();

const SVG = "http://www.w3.org/2000/svg";

function filled(element, attributes, children) {
	for (const [name, value] of Object.entries(attributes))
		if (value !== null)
			element.setAttribute(name, value);
	element.append(...children);
	return element;
}

export const el = (tag, attributes = {}, ...children) => filled(document.createElement(tag), attributes, children);
export const svg = (tag, attributes = {}, ...children) => filled(document.createElementNS(SVG, tag), attributes, children);
export const byId = (id) => document.getElementById(id);

export const EMPTY = "Not a peep. Either everyone is asleep, or nothing feeds the topic.";

export const calm = matchMedia("(prefers-reduced-motion: reduce)");

/** Shows a number; one that is already there moves to the new one. */
export function showNumber(element, value) {
	const from = element.shown;
	element.shown = value;
	cancelAnimationFrame(element.frame);
	if (from === undefined || from === value || calm.matches || document.hidden) {
		element.textContent = number(value);
		return;
	}
	const begin = performance.now();
	const step = (now) => {
		const t = Math.min(1, (now - begin) / 450);
		element.textContent = number(Math.round(from + (value - from) * (1 - (1 - t) ** 3)));
		if (t < 1)
			element.frame = requestAnimationFrame(step);
	};
	element.frame = requestAnimationFrame(step);
}
