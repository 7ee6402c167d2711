"""The table on stdout and the raw numbers in results.json."""

import dataclasses
import datetime
import json
import os
import platform
import subprocess
import textwrap

from measure import median

# Each column shows every arm that means the same thing in the figures that have it.
COLUMNS = (("baseline", ("local", "plain", "curl", "one")), ("warmpath", ("warmpath",)))
OTHERS = (("curl kept", "kept"), ("least work", "floor"), ("s3fs", "s3fs"), ("rclone", "rclone"),
          ("juicefs", "juicefs"), ("mount-s3", "mountpoint"))
WIDTH = 118  # of the lines below the tables


def number(value):
    if abs(value) >= 1000:
        return f"{value:.0f}"
    return f"{value:.1f}" if abs(value) >= 100 else f"{value:.2f}"


def cell(row, arms):
    for arm in arms:
        if arm in row.failed:
            return "cannot run"
        if row.samples.get(arm):
            return cell_of(row, arm)
    return "-"


def cell_of(row, arm):
    text = number(median(row.samples[arm]))
    return f"{arm} {text}" if arm == row.base else f"{text} ({compared_text(row, arm)})"


def compared_text(row, arm):
    value = row.compared(arm)
    if row.compare == "difference":
        return f"{value:+.0f}"
    return f"{value:.3f}x" if abs(value) < 2 else f"{value:.0f}x"


def goal_text(row):
    if row.goal and row.compare == "difference":
        return row.goal.replace("<= ", "<= +") + f" {row.unit}"
    return f"{row.goal}x" if row.goal else ""


def aligned(lines):
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    text = ["  ".join(word.ljust(width) for word, width in zip(line, widths)).rstrip() for line in lines]
    text.insert(1, "-" * max(map(len, text)))
    return text


def table(rows):
    """What Warmpath is judged by."""
    lines = [["", "figure", "unit", *(title for title, _ in COLUMNS), "goal", "met"]]
    for row in rows:
        lines.append([row.figure, row.name, row.unit, *(cell(row, arms) for _, arms in COLUMNS),
                      goal_text(row), row.verdict()])
    return aligned(lines)


def others_cell(row, arm):
    if arm in row.failed:
        return "cannot run"
    return compared_text(row, arm) if row.samples.get(arm) else "-"


def others_table(rows):
    """All others by their ratio to the baseline, with Warmpath's beside them."""
    rows = [row for row in rows if any(arm in row.samples or arm in row.failed for _, arm in OTHERS)]
    columns = [(title, arm) for title, arm in (("warmpath", "warmpath"), *OTHERS)
               if any(row.samples.get(arm) or arm in row.failed for row in rows)]
    if not rows:
        return []
    lines = [["", "all to the baseline", *(title for title, _ in columns)]]
    lines += [[row.figure, row.name, *(others_cell(row, arm) for _, arm in columns)] for row in rows]
    return aligned(lines)


def footnotes(rows):
    """Each note once, with the figures that have it."""
    notes = {}
    for row in rows:
        for note in [*row.failed.values(), *row.notes]:
            figures = notes.setdefault(note, [])
            if row.figure not in figures:
                figures.append(row.figure)
    return [f"{', '.join(figures)}: {note}" for note, figures in notes.items()]


def print_report(rows, setting, flags):
    print()
    print(f"Warmpath {setting['commit']}, {setting['cpus']} x {setting['cpu']}, Linux {setting['kernel']}, "
          f"{setting['system']}")
    if setting["quick"]:
        print("Quick sizes: for trying the benchmark, not for quoting.")
    if setting["load_before"] > setting["cpus"] / 2:
        print(f"The machine was busy before the run began (load {setting['load_before']:.1f}): measure again when idle.")
    print("Medians over all rounds; in brackets the median of the comparisons with the baseline of the same round.")
    print()
    print("\n".join(table(rows)))
    print()
    for line in [*others_table(rows), "", "Of rates more is better, of times less."]:
        print(line)
    for line in [*footnotes(rows), *(f"{name}: {text}" for name, text in flags.items()), *setting["left_out"]]:
        print(textwrap.fill(line, WIDTH, subsequent_indent="   ", break_long_words=False))


def first_line(*argv):
    try:
        return subprocess.run(argv, capture_output=True, text=True, check=True).stdout.splitlines()[0].strip()
    except (OSError, subprocess.CalledProcessError, IndexError):
        return "unknown"


def os_release():
    with open("/etc/os-release", encoding="utf-8") as file:
        fields = dict(line.strip().split("=", 1) for line in file if "=" in line)
    return fields.get("PRETTY_NAME", "unknown").strip('"')


def cpu_model():
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        return next((line.split(":", 1)[1].strip() for line in file if line.startswith("model name")),
                    platform.machine())


def describe_setting(root, quick, juicefs):
    """Where and with what the numbers were taken: they mean nothing without it."""
    commit = first_line("git", "-C", root, "describe", "--always", "--dirty")
    return {
        "when": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "commit": commit, "quick": quick, "cpu": cpu_model(), "cpus": len(os.sched_getaffinity(0)),
        "memory_mib": os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // (1024 * 1024),
        "kernel": platform.release(), "system": os_release(), "libc": " ".join(platform.libc_ver()),
        "load_before": os.getloadavg()[0],
        "versions": {"s3fs": first_line("s3fs", "--version"), "rclone": first_line("rclone", "version"),
                     "juicefs": first_line(juicefs, "--version"), "mount-s3": first_line("mount-s3", "--version"),
                     "curl": first_line("curl", "--version"), "radosgw": first_line("radosgw", "--version"),
                     "gcc": first_line("gcc", "--version")},
    }


def write_results(path, rows, setting, flags):
    results = []
    for row in rows:
        arms = [name for name in row.samples if row.samples[name]]
        results.append({**dataclasses.asdict(row),
                        "median": {name: median(row.samples[name]) for name in arms},
                        "compared_with_base": {name: row.compared(name) for name in arms},
                        "met": row.verdict()})
    with open(path, "w", encoding="utf-8") as file:
        json.dump({"setting": {**setting, "load_after": os.getloadavg()[0]}, "flags": flags, "rows": results},
                  file, indent=1)
        file.write("\n")
