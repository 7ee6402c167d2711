"""Pictures of the rows: a bar for each arm, a line for the goal, and how far the rounds spread:
a dot for each round, or the middle half of them where they are many."""

import os
import statistics

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402  (the backend is chosen first: there may be no display)
from matplotlib.ticker import FuncFormatter  # noqa: E402

from measure import median  # noqa: E402
from report import number  # noqa: E402

COLOURS = {"warmpath": "#d1495b", "s3fs": "#8d99ae", "rclone": "#5c677d", "juicefs": "#a3b18a",
           "mountpoint": "#b08968", "kept": "#5b9aa8", "floor": "#a9cdd4"}
BASE_COLOUR = "#2b6777"
LABELS = {"plain": "no preload", "kept": "curl kept", "floor": "least work", "mountpoint": "mount-s3"}
LOG_ABOVE = 20  # times between the smallest and the largest bar
DOTS_BELOW = 20  # rounds


def spread(samples):
    """What shows how far the rounds lie apart."""
    if len(samples) < DOTS_BELOW:
        return samples
    quarters = statistics.quantiles(samples, n=4)
    return [quarters[0], quarters[2]]


def draw_row(axes, row):
    arms = arms_of(row)
    medians = [median(row.samples[name]) for name in arms]
    ends = []
    for place, (name, value) in enumerate(zip(arms, medians)):
        points = spread(row.samples[name])
        style = "." if len(row.samples[name]) < DOTS_BELOW else "|-"
        axes.barh(place, value, height=0.62, color=COLOURS.get(name, BASE_COLOUR))
        axes.plot(points, [place] * len(points), style, color="black", alpha=0.4, markersize=4)
        ends.append(max([value, *points]))
        axes.annotate(number(value), (ends[-1], place), (8, 0), textcoords="offset points", va="center", fontsize=9,
                      bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.5})
    if max(medians) > LOG_ABOVE * min(medians):
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _place: f"{value:,.7g}"))
        axes.set_xlim(min(medians) / 3, max(ends) * 4)
    else:
        axes.set_xlim(0, max(ends) * 1.15)
    draw_goal(axes, row, medians[arms.index(row.base)])
    axes.set_yticks(range(len(arms)), [LABELS.get(name, name) for name in arms])
    axes.invert_yaxis()
    axes.spines[["top", "right"]].set_visible(False)
    better = "more" if row.more_is_better() else "less"
    axes.set_xlabel(f"{row.unit}, {better} is better", fontsize=9)
    axes.set_title(f"{row.figure}. {row.name}", fontsize=10, loc="left", pad=12)


def draw_goal(axes, row, base):
    if not row.goal:
        return
    limit = float(row.goal.split()[1])
    at = base + limit if row.compare == "difference" else base * limit
    axes.axvline(at, color="#d1495b", linestyle="--", linewidth=1)
    left, right = axes.get_xlim()
    axes.set_xlim(left, max(right, at * 1.1))
    axes.text(at, 1.0, "goal", color="#d1495b", fontsize=8, ha="center", va="bottom",
              transform=axes.get_xaxis_transform())


def arms_of(row):
    """Variants of a peer and the control have no bar."""
    return [name for name in row.samples if row.samples[name] and name != "control" and " " not in name]


def save(rows, path):
    heights = [1.1 + 0.25 * len(arms_of(row)) for row in rows]
    figure, panels = plt.subplots(len(rows), 1, figsize=(8, sum(heights) + 0.3), squeeze=False,
                                  gridspec_kw={"height_ratios": heights})
    for axes, row in zip(panels[:, 0], rows):
        draw_row(axes, row)
    figure.tight_layout()
    figure.savefig(path, dpi=140)
    plt.close(figure)
    return path


def draw(rows, folder):
    """One picture for each figure and one with all of them. Returns their paths."""
    drawable = [row for row in rows if row.samples.get(row.base)]
    letters = sorted({row.figure for row in drawable})
    paths = [save([row for row in drawable if row.figure == letter], os.path.join(folder, f"figure-{letter}.png"))
             for letter in letters]
    if len(letters) > 1:
        paths.append(save(drawable, os.path.join(folder, "figures.png")))
    return paths
