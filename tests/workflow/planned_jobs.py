"""Run Snakemake and print one JSON line for each job that it announces: rule, wildcards, threads, resources."""

import json
import logging
import sys

from snakemake import cli


def announce(logger: logging.Logger, record: logging.LogRecord) -> None:
    if str(getattr(record, "event", "")).endswith("job_info"):
        resources = {name: value for name, value in record.resources.items() if type(value) in (int, str)}
        job = {"rule": record.rule_name, "threads": record.threads, "wildcards": dict(record.wildcards or {})}
        print(json.dumps(job | {"resources": resources}), flush=True)  # noqa: T201
    handle(logger, record)


handle = logging.Logger.handle
logging.Logger.handle = announce
cli.main(sys.argv[1:])
