"""Days of the whole service in virtual time: `python -m tests.simulation --seeds 500`, or `--seed 17 --trace`."""

import argparse
import gc
import os
import sys
import time

from twisted.logger import globalLogBeginner

from tests.simulation.day import Day, Outcome


def options(arguments: list[str]) -> argparse.Namespace:
    """What to run."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=20, help="how many days (default 20)")
    parser.add_argument("--first", type=int, default=1, help="seed of the first day (default 1)")
    parser.add_argument("--seed", type=int, help="only this one")
    parser.add_argument("--trace", action="store_true", help="print everything that happens")
    return parser.parse_args(arguments)


def one(seed: int, trace: bool) -> Outcome:
    """Run one day and print its line."""

    def tell(seconds: float, text: str) -> None:
        sys.stdout.write(f"{seconds:12.3f}  {text}\n")

    begin = time.process_time()
    outcome = Day(seed, trace=tell if trace else None).run_all()
    spent = time.process_time() - begin
    figures = ", ".join(f"{number} {name}" for name, number in outcome.figures.items())
    verdict = "FAILED" if outcome.faults else "ok"
    sys.stdout.write(f"seed {seed}: {verdict}, {spent:.1f} processor seconds: {figures}; digest {outcome.digest:08x}\n")
    for fault in outcome.faults:
        sys.stdout.write(f"    {fault}\n")
    sys.stdout.flush()
    return outcome


def main(arguments: list[str]) -> int:
    """Exit status 1 if a day failed."""
    chosen = options(arguments)
    seeds = [chosen.seed] if chosen.seed is not None else range(chosen.first, chosen.first + chosen.seeds)
    failed = []
    for seed in seeds:
        if one(seed, chosen.trace).faults:
            failed.append(seed)
        gc.collect()
    if failed:
        sys.stdout.write(f"failed: {failed}; again with --seed N --trace\n")
    return bool(failed)


if __name__ == "__main__":
    if os.environ.get("PYTHONHASHSEED") != "0":  # the order of a set of tickers depends on their hashes
        os.environ["PYTHONHASHSEED"] = "0"
        os.execv(sys.executable, [sys.executable, "-m", "tests.simulation", *sys.argv[1:]])
    globalLogBeginner.beginLoggingTo([], redirectStandardIO=False)
    sys.exit(main(sys.argv[1:]))
