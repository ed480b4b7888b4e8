"""Run Snakemake, which looks at its Slurm jobs every second; by itself it waits 10 seconds longer with every look."""

import sys

from snakemake import cli
from snakemake_executor_plugin_slurm import Executor

Executor.next_seconds_between_status_checks = property(lambda executor: 1, lambda executor, seconds: None)
cli.main(sys.argv[1:])
