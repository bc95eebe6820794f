"""A clean release build, with the default features and with all: its time, the crates, the size of the program."""

import os, shutil, subprocess

from measure import run


def build(bench):
    print(f"  {'features':<10}{'seconds':>9}{'CPU s':>9}{'crates':>9}{'program MB':>12}")
    for features in ["sqlite", "full"]:
        target = f"{bench.folder}/build-{features}"
        command = ["cargo", "build", "--release", "--locked", "--features", features, "--timings"]
        took = run(command, bench.root, {**os.environ, "CARGO_TARGET_DIR": target}, logs=target)
        tree = ["cargo", "tree", "--locked", "--features", features, "-e", "normal,build", "--prefix", "none"]
        lines = subprocess.run(tree, cwd=bench.root, capture_output=True, text=True, check=True).stdout.splitlines()
        crates = len({tuple(line.split()[:2]) for line in lines})
        size = os.path.getsize(f"{target}/release/reminders") / 1e6
        print(f"  {features:<10}{took.seconds:>9.1f}{took.cpu:>9.1f}{crates:>9}{size:>12.2f}", flush=True)
        bench.found(7, f"size of the program, {features}", "", size, unit=" MB")
        bench.found(7, f"clean build, {features}", "", took.seconds, unit=" s")
        timings = f"{bench.root}/target/build-{features}.html"
        os.makedirs(os.path.dirname(timings), exist_ok=True)
        shutil.copy(f"{target}/cargo-timings/cargo-timing.html", timings)
        print(f"  each crate's time: {timings}")
        shutil.rmtree(target)
