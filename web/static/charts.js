// Charts by Chart.js, in the page's colours, each with its contents as text for those who do not see it.

import { calm, number, svg } from "./format.js";

const all = new Set();

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue("--" + name).trim();

function transparent(hex, share) {
	return hex + Math.round(share * 255).toString(16).padStart(2, "0");
}

function options(chart) {
	const quiet = colour("quiet"), line = colour("line");
	const font = { family: getComputedStyle(document.body).fontFamily, size: 11 };
	return {
		responsive: true,
		maintainAspectRatio: false,
		animation: calm.matches ? false : { duration: 400 },
		interaction: { mode: "index", intersect: false },
		layout: { padding: { top: 6, right: 6 } },
		scales: {
			x: { grid: { display: false }, ticks: { color: quiet, font, maxRotation: 0, autoSkipPadding: 18 } },
			y: {
				beginAtZero: true,
				suggestedMax: 4,
				grid: { color: line, drawBorder: false },
				ticks: { color: quiet, font, precision: 0, maxTicksLimit: 5, padding: 6 },
			},
		},
		plugins: {
			legend: {
				display: chart.legend,
				position: "bottom",
				labels: { color: colour("ink"), font: { ...font, size: 13 }, usePointStyle: true, boxWidth: 7, boxHeight: 7,
					  padding: 16 },
			},
			tooltip: {
				backgroundColor: colour("ink"), titleColor: colour("paper"), bodyColor: colour("paper"),
				padding: 10, cornerRadius: 6, usePointStyle: true, boxPadding: 4,
				callbacks: { label: (item) => ` ${item.dataset.label}: ${number(item.raw)}` },
			},
		},
	};
}

function lineSet(chart, series) {
	const own = colour(series.colour), last = series.values.length - 1;
	return {
		label: series.label,
		data: series.values,
		borderColor: own,
		backgroundColor: series.fill ? transparent(own, 0.1) : own,
		fill: Boolean(series.fill),
		borderWidth: 2,
		borderJoinStyle: "round",
		pointRadius: last > chart.dotsUpTo ? 0 : (context) => (context.dataIndex === last && chart.open ? 4 : 2.5),
		pointBackgroundColor: (context) => (context.dataIndex === last && chart.open ? colour("card") : own),
		pointHoverRadius: 5,
		// the newest window still counts: its line is not final
		segment: {
			borderDash: (context) => (chart.open && context.p1DataIndex === last ? [4, 4] : undefined),
			backgroundColor: (context) => (chart.open && context.p1DataIndex === last ? "#0000" : undefined),
		},
	};
}

function draw(chart) {
	if (!chart.data || !window.Chart)
		return;
	const { labels, series } = chart.data;
	const datasets = series.map((one) => lineSet(chart, one));
	if (!chart.drawn) {
		chart.drawn = new window.Chart(chart.canvas, { type: "line", data: { labels, datasets }, options: options(chart) });
		return;
	}
	chart.drawn.data.labels = labels;
	// keep the sets that are there, so that values move instead of starting anew
	chart.drawn.data.datasets = datasets.map((set, i) => Object.assign(chart.drawn.data.datasets[i] ?? {}, set));
	chart.drawn.update();
}

/** A chart of lines over time on a canvas, with a legend if there is more than one line to tell apart. */
export function chartOn(canvas, { legend = false, dotsUpTo = 40 } = {}) {
	const chart = { canvas, legend, dotsUpTo };
	all.add(chart);
	return {
		/** series: [{ label, colour, values, fill }]; open: the last value is not final; text: the whole in words. */
		show({ labels, series, open, text }) {
			chart.open = open;
			chart.data = { labels, series };
			canvas.setAttribute("aria-label", text);
			draw(chart);
		},
	};
}

/** After a change of theme. */
export function restyle() {
	for (const chart of all) {
		if (chart.drawn)
			chart.drawn.options = options(chart);
		draw(chart);
	}
}

/** Values in words: "18:00 12, 18:15 7" */
export const inWords = (labels, values) => labels.map((label, i) => `${label} ${number(values[i])}`).join(", ");

/** A small line of values, for a table's cell. */
export function sparkline(values) {
	// from the least to the most, but not so close that a ripple looks like a wave
	const most = Math.max(1, ...values), least = Math.min(...values, most * 0.6), step = 100 / (values.length - 1);
	const points = values.map((value, i) =>
		`${(i * step).toFixed(1)},${(21 - (18 * (value - least)) / (most - least)).toFixed(1)}`);
	return svg("svg", { class: "spark", viewBox: "0 0 100 24", preserveAspectRatio: "none", "aria-hidden": "true" },
		svg("polyline", { points: points.join(" ") }));
}
