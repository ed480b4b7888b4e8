"""One page of facts for a bug report, as Markdown that can be pasted into an issue."""

from collections.abc import Callable, Iterable
from pathlib import Path

from digit.config import Config, load_config
from digit.doctor.configuration import configuration_facts, named_paths
from digit.doctor.fact import Fact
from digit.doctor.machine import disk_facts, machine_facts
from digit.doctor.privacy import without_credentials, without_private_paths
from digit.doctor.progress import error_facts, lock_facts, progress_facts
from digit.doctor.software import software_facts
from digit.run.console import log
from digit.run.errors import UserError, words_for_people


def doctor(files: list[Path], full: bool = False) -> str:
    """Describe this installation, machine and run; nothing is changed.

    A fact that cannot be found out, and a configuration that cannot be read, are told and do not stop the others.

    Args:
        files: of the configuration, later ones over earlier ones.
        full: show folders outside the working directory as well. Credentials are never shown.

    Returns:
        Markdown.
    """
    project, run = Path.cwd(), []
    config, broken = _read(files)
    if config is None:
        run = [_section("Configuration", lambda: [Fact("files", broken)])]
    else:
        run = [
            _section("Configuration", lambda: configuration_facts(config, files)),
            _section("Run", lambda: progress_facts(config)),
            _section("Locks", lambda: lock_facts(config, project / ".snakemake")),
            _section("Jobs that ended with an error", lambda: error_facts(config)),
        ]
    results = Path(config.run.folder) if config else project
    sections = [
        _section("Software", lambda: software_facts(project)),
        _section("Machine", machine_facts),
        _section("Disks", lambda: disk_facts(results)),
        *run,
    ]
    page = without_credentials("\n\n".join(sections))
    known = [path for _, path in named_paths(config)] + [config.run.folder] if config else []
    return page if full else without_private_paths(page, project, [*known, *map(str, files)])


def _read(files: list[Path]) -> tuple[Config | None, str]:
    absent = [str(path) for path in files if not path.exists()]
    if absent:
        return None, f"no {', '.join(absent)} in this folder"
    try:
        return load_config(*files), ""
    except UserError as error:
        return None, str(error)


def _section(title: str, find: Callable[[], Iterable[Fact]]) -> str:
    facts: list[Fact] = []
    try:
        facts.extend(find())
    except Exception as error:
        log.warning("%s: not everything could be found out: %s", title, words_for_people(error) or repr(error))
        facts.append(Fact("not found out", words_for_people(error) or repr(error)))
    return "\n".join([f"### {title}", "", *(_line(fact) for fact in facts)] if facts else [f"### {title}", "", "none"])


def _line(fact: Fact) -> str:
    return f"- {fact.name}: {fact.value}" + (f". **{fact.remedy}**" if fact.remedy else "")
