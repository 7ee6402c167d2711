"""Pictures of the simulator's runs: how far the nodes are, what the network carries, how busy Redis is,
what S3 was asked for. Reads DIR/*.csv, writes DIR/*.png.

    sim/plots.py DIR
"""

import csv
import glob
import os
import sys

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402  (the backend is chosen first: there may be no display)

GBIT = 1e9 / 8


def read(path):
    """The lines with a # as a dict, the columns as lists of numbers."""
    facts, rows = {}, []
    with open(path, encoding="utf-8") as file:
        for line in file:
            if line.startswith("# "):
                name, _, value = line[2:].strip().partition(" ")
                facts[name] = value
            else:
                rows.append(line)
    table = list(csv.DictReader(rows))
    return facts, {name: [float(row[name]) for row in table] for name in table[0]}


def draw(path):
    facts, data = read(path)
    at, bound = data["at_s"], float(facts["bound_s"])
    figure, (loaded, network, redis, origin) = plt.subplots(4, 1, sharex=True, figsize=(7, 9))
    figure.suptitle(facts["title"], fontsize=11)
    loaded.fill_between(at, data["slowest"], data["fastest"], color="#2b6777", alpha=0.25, label="slowest to fastest node")
    loaded.plot(at, data["median"], color="#2b6777", label="median")
    loaded.set_ylabel("of a node's bytes")
    network.plot(at, [rate / GBIT for rate in data["network_rate"]], color="#2b6777")
    network.axhline(float(facts["nodes_rate"]) / GBIT, color="#8d99ae", linestyle="--", label="all NICs")
    network.set_ylabel("network, Gb/s")
    redis.plot(at, [busy * 100 for busy in data["redis_busy"]], color="#d1495b")
    redis.axhline(20, color="#8d99ae", linestyle="--", label="goal, over a second")
    redis.set_ylabel("Redis, % of a core")
    origin.plot(at, data["s3_gets"], color="#d1495b")
    origin.axhline(float(facts["blocks"]), color="#8d99ae", linestyle="--", label="blocks")
    origin.set_ylabel("S3 GETs")
    origin.set_xlabel("seconds since the first node started")
    for axes in (loaded, network, redis, origin):
        axes.axvline(bound, color="black", linewidth=0.8, linestyle=":", label="bound" if axes is loaded else None)
        axes.set_ylim(bottom=0)
        axes.spines[["top", "right"]].set_visible(False)
        if axes.get_legend_handles_labels()[1]:
            axes.legend(fontsize=8, frameon=False)
    figure.tight_layout()
    figure.savefig(path.removesuffix(".csv") + ".png", dpi=110)
    plt.close(figure)


def main():
    if len(sys.argv) != 2:
        sys.exit("usage: sim/plots.py DIR")
    for path in sorted(glob.glob(os.path.join(sys.argv[1], "*.csv"))):
        draw(path)


if __name__ == "__main__":
    main()
