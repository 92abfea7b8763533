"""Plan a run over an archive: the table of docs/bulk.md, from measured rates.

    python benchmarks/archive.py --rate 84 --megabytes 0.36
    python benchmarks/archive.py --rate 40 --megabytes 12 --films 30e6 --price 0.06 --gigabits 25

Hours = films / (cores x rate x efficiency). What the network must carry at that pace is compared
with what a node's link can.
"""

from __future__ import annotations

import argparse

CORES_A_NODE = 16
NODES = (1, 4, 16, 64)


def main() -> None:
    """Print the table as Markdown."""
    wanted = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    wanted.add_argument("--rate", type=float, required=True, help="films a second and core")
    wanted.add_argument("--megabytes", type=float, required=True, help="of one film, as stored")
    wanted.add_argument("--films", type=float, default=10e6)
    wanted.add_argument("--efficiency", type=float, default=0.9, help="of a cluster, per core")
    wanted.add_argument("--price", type=float, default=0.05, help="of a core for an hour")
    wanted.add_argument("--gigabits", type=float, default=10.0, help="of a node's link")
    asked = wanted.parse_args()
    print("| nodes | cores | hours | cost | network of a node | of its link |")
    print("|---|---|---|---|---|---|")
    for nodes in NODES:
        cores = nodes * CORES_A_NODE
        wished = CORES_A_NODE * asked.rate * asked.efficiency * asked.megabytes / 1000
        link = asked.gigabits / 8
        pace = min(1.0, link / wished)  # where the link is full, cores wait
        hours = asked.films / (cores * asked.rate * asked.efficiency * pace) / 3600
        print(
            f"| {nodes} | {cores} | {hours:.2g} | {hours * cores * asked.price:.2g} "
            f"| {wished * pace:.2f} GB/s | {wished * pace / link:.0%} |"
        )


if __name__ == "__main__":
    main()
