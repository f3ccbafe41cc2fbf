"""Plots as SVG: lines and bars, axes linear or logarithmic."""

import math
from html import escape

COLOURS = ("#1668b8", "#c8442c", "#8a8a8a", "#3b8f4a")
WIDTH, HEIGHT = 640, 360
LEFT, RIGHT, TOP, BOTTOM = 70, 20, 50, 50


def number(value):
    for limit, suffix in ((1e6, " M"), (1e3, " k")):
        if abs(value) >= limit:
            return f"{value / limit:g}{suffix}"
    return f"{value:g}"


class Axis:
    """Values to pixels, and where its ticks are."""

    def __init__(self, values, pixels, logarithmic):
        self.pixels, self.logarithmic = pixels, logarithmic
        high = max(values)
        if logarithmic:
            self.low, self.high = math.log10(min(values)), math.log10(high)
            if self.high - self.low < 0.3:
                self.low, self.high = self.low - 0.2, self.high + 0.2
        else:
            self.low, self.high = 0.0, high * 1.08 or 1.0

    def at(self, value):
        place = math.log10(value) if self.logarithmic else value
        first, last = self.pixels
        return first + (place - self.low) / (self.high - self.low) * (last - first)

    def ticks(self):
        if self.logarithmic:
            decades = range(math.floor(self.low), math.ceil(self.high) + 1)
            steps = (1, 2, 5) if self.high - self.low < 2 else (1,)
            all_of_them = [step * 10.0 ** decade for decade in decades for step in steps]
            return [t for t in all_of_them if self.low - 1e-9 <= math.log10(t) <= self.high + 1e-9]
        step = 10.0 ** math.floor(math.log10(self.high / 4))
        step *= next(f for f in (1, 2, 5, 10) if self.high / (step * f) <= 6)
        return [round(i * step, 10) for i in range(int(self.high / step) + 1)]


def words(x, y, said, anchor="middle", size=12, more=""):
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}" {more}>{escape(said)}</text>'


def frame(title, body):
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" '
            'font-family="sans-serif" fill="#222">\n'
            f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>\n'
            + words(WIDTH / 2, 20, title, size=14) + "\n" + "\n".join(body) + "\n</svg>\n")


def legend(names):
    body, x = [], LEFT
    for i, name in enumerate(names):
        body.append(f'<rect x="{x}" y="30" width="12" height="12" fill="{COLOURS[i]}"/>')
        body.append(words(x + 17, 40, name, "start"))
        x += 35 + 7 * len(name)
    return body


def y_axis(axis, label):
    body = [words(16, (TOP + HEIGHT - BOTTOM) / 2, label,
                  more=f'transform="rotate(-90 16 {(TOP + HEIGHT - BOTTOM) / 2})"')]
    for tick in axis.ticks():
        y = axis.at(tick)
        body.append(f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}" stroke="#ddd"/>')
        body.append(words(LEFT - 6, y + 4, number(tick), "end"))
    return body


def lines(path, title, x_label, y_label, series, log_x=False, log_y=False):
    """series: {name: [(x, y), ...]}"""
    points = [point for line in series.values() for point in line]
    x_axis = Axis([x for x, _ in points], (LEFT + 10, WIDTH - RIGHT - 10), log_x)
    axis = Axis([y for _, y in points], (HEIGHT - BOTTOM, TOP), log_y)
    body = legend(series) + y_axis(axis, y_label)
    for x in sorted({x for x, _ in points}):
        body.append(words(x_axis.at(x), HEIGHT - BOTTOM + 18, number(x)))
    body.append(words((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 10, x_label))
    for i, line in enumerate(series.values()):
        places = [(x_axis.at(x), axis.at(y)) for x, y in sorted(line)]
        path_of = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
        body.append(f'<polyline points="{path_of}" fill="none" stroke="{COLOURS[i]}" stroke-width="2"/>')
        body += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="{COLOURS[i]}"/>' for x, y in places]
    path.write_text(frame(title, body))


def bars(path, title, y_label, groups, log_y=False):
    """groups: [(label, {name: value})]"""
    names = list(dict.fromkeys(name for _, values in groups for name in values))
    heights = [value for _, values in groups for value in values.values()]
    axis = Axis(heights + ([min(heights) / 2] if log_y else []), (HEIGHT - BOTTOM, TOP), log_y)
    body = legend(names) + y_axis(axis, y_label)
    room = (WIDTH - LEFT - RIGHT) / len(groups)
    width = room * 0.8 / len(names)
    for g, (label, values) in enumerate(groups):
        left = LEFT + g * room + room * 0.1
        body.append(words(LEFT + (g + 0.5) * room, HEIGHT - BOTTOM + 18, label))
        for i, name in enumerate(names):
            if name in values:
                top, x = axis.at(values[name]), left + i * width
                body.append(f'<rect x="{x:.1f}" y="{top:.1f}" width="{width - 2:.1f}" '
                            f'height="{HEIGHT - BOTTOM - top:.1f}" fill="{COLOURS[i]}"/>')
                body.append(words(x + width / 2 - 1, top - 4, f"{values[name]:.3g}", size=10))
    path.write_text(frame(title, body))
