"""From samples to medians, ratios, a table and JSON.

A sample is what one program printed, see client.h, with what compare.py knows besides. Places take turns in
rounds, and a ratio is taken within a round, where both had the same weather; the median of those is reported.
"""

import statistics

UNITS = ("GB/s", "op/s", "us")


def value_of(unit, sample):
    """The figure of a sample in the unit of its test."""
    if unit == "GB/s":
        return sample["bytes"] / sample["seconds"] / 1e9
    if unit == "op/s":
        return sample["operations"] / sample["seconds"]
    return sample["us"]


def median_of(samples, key):
    values = [sample[key] for sample in samples if sample.get(key) is not None]
    return statistics.median(values) if values else None


def cpu_of(unit, samples, who):
    """CPU seconds for each GB, or microseconds for each operation; None for latencies."""
    if unit == "us":
        return None
    if unit == "GB/s":
        values = [sample[who] / (sample["bytes"] / 1e9) for sample in samples]
    else:
        values = [sample[who] / sample["operations"] * 1e6 for sample in samples]
    return statistics.median(values)


def ratio_to(reference, rounds):
    """Median of this place's figure by the reference's of the same round. Both: {round: figure}."""
    ratios = [rounds[number] / reference[number] for number in rounds if reference.get(number)]
    return statistics.median(ratios) if ratios else None


class Results:
    """Everything measured on one disk, in the order in which it came."""

    def __init__(self):
        self.samples = {}  # (test, place): [sample]
        self.units = {}  # test: unit

    def add(self, test, unit, place, number, sample):
        self.units[test] = unit
        self.samples.setdefault((test, place), []).append(dict(sample, round=number))

    def rounds(self, test, place):
        return {sample["round"]: value_of(self.units[test], sample)
                for sample in self.samples.get((test, place), [])}

    def entry(self, test, place, ceiling):
        unit = self.units[test]
        samples = self.samples[(test, place)]
        rounds = self.rounds(test, place)
        figures = list(rounds.values())
        return {
            "test": test, "place": place, "unit": unit, "better": "lower" if unit == "us" else "higher",
            "median": statistics.median(figures), "min": min(figures), "max": max(figures),
            "runs": figures,
            "ceiling": ceiling,
            "of_ceiling": ratio_to(self.rounds(test, ceiling), rounds),
            "of_native": ratio_to(self.rounds(test, "native"), rounds),
            "cpu_unit": {"GB/s": "s/GB", "op/s": "us/op", "us": None}[unit],
            "cpu_client": cpu_of(unit, samples, "cpu_client_s"),
            "cpu_daemon": cpu_of(unit, samples, "cpu_daemon_s"),
            "cpu_machine": cpu_of(unit, samples, "cpu_machine_s"),
            "peak_rss_bytes": median_of(samples, "peak_rss_bytes"),
            "logical_bytes": median_of(samples, "logical_bytes"),
            "stored_bytes": median_of(samples, "stored_bytes"),
            "sample_count": median_of(samples, "sample_count"),
        }

    def entries(self):
        """The ceiling is the null filesystem where it can be measured, else the one in memory."""
        def ceiling_of(test):
            return "null" if (test, "null") in self.samples else "memory"
        return [self.entry(test, place, ceiling_of(test)) for test, place in self.samples]


def number(value, digits):
    return "" if value is None else f"{value:.{digits}f}"


def figure_digits(unit):
    return {"GB/s": 3, "op/s": 0, "us": 1}[unit]


def table_line(entry):
    digits = figure_digits(entry["unit"])
    spread = f"{number(entry['min'], digits)} .. {number(entry['max'], digits)}"
    peak = entry["peak_rss_bytes"]
    stored = entry["stored_bytes"]
    cells = (
        f"{entry['test']:<30} {entry['place']:<7}"
        f"{number(entry['median'], digits):>9} {entry['unit']:<5}{spread:>20}"
        f"{number(entry['of_ceiling'], 2):>8}{number(entry['of_native'], 2):>8}"
        f"{number(entry['cpu_daemon'], 2):>8}{number(entry['cpu_client'], 2):>8}"
        f"{number(entry['cpu_machine'], 2):>8}"
        f"{number(peak and peak / 1e6, 0):>7}"
        f"{number(stored and stored / entry['logical_bytes'], 3):>8}"
    )
    return cells.rstrip()


def table(entries):
    head = (f"{'test':<30} {'place':<7}{'median':>9} {'unit':<5}{'lowest .. highest':>20}"
            f"{'ceiling':>8}{'native':>8}{'daemon':>8}{'client':>8}{'machine':>8}{'RSS MB':>7}{'stored':>8}")
    lines = [head]
    by_test = {}
    for entry in entries:
        by_test.setdefault(entry["test"], []).append(entry)
    for group in by_test.values():
        lines += [table_line(entry) for entry in group]
    lines.append("ceiling, native: ratio to the null (names: in-memory) filesystem and to the native directory, "
                 "within a round; us: lower is better.\n"
                 "daemon, client, machine: CPU seconds for each GB, or microseconds for each operation. "
                 "stored: bytes on disk by bytes saved.")
    return "\n".join(lines)
