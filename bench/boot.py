"""Time a cluster from nothing until its nodes are Ready and its images are loaded, stage by stage.

python -m bench.boot [--workers 2] [--runs 5]
"""

from __future__ import annotations

import argparse
import os
import time
from collections import defaultdict

from bench.clusters import spread, throwaway_cluster
from cluster.create import StagePassed


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--runs", type=int, default=5)
    arguments = parser.parse_args()
    ended_at: dict[str, list[float]] = defaultdict(list)

    def on_stage(stage: StagePassed) -> None:
        ended_at[stage.title].append(stage.total_s)

    created, deleted = [], []
    for run in range(arguments.runs):
        started = time.perf_counter()
        with throwaway_cluster(f"bench-boot-{os.getpid()}-{run}", arguments.workers, on_stage=on_stage):
            created.append(time.perf_counter() - started)
            started = time.perf_counter()
        deleted.append(time.perf_counter() - started)
    for title, values in ended_at.items():
        print(f"{title:42s} after {spread(values, 's', 2)}")
    print(f"{'create, in all':42s} {spread(created, 's', 2)}")
    print(f"{'delete':42s} {spread(deleted, 's', 2)}")


if __name__ == "__main__":
    main()
