# The whole pipeline: configuration, validation, one rules file a stage, named targets.
# `snakemake --cores all` runs the embedded default; README.md says how to point it at InterHand2.6M.
from snakemake.utils import min_version

min_version("9.20")


configfile: f"{workflow.basedir}/config.yaml"


# The image in which --sdm conda apptainer makes the environments of envs/.
container: "docker://condaforge/miniforge3:24.11.3-0"


report: "workflow/report/workflow.rst"


include: "workflow/rules/common.smk"
include: "workflow/rules/resources.smk"
include: "workflow/rules/settings.smk"
include: "workflow/rules/synthesize.smk"
include: "workflow/rules/download.smk"
include: "workflow/rules/check.smk"
include: "workflow/rules/index.smk"
include: "workflow/rules/images.smk"
include: "workflow/rules/parts.smk"
include: "workflow/rules/train.smk"
include: "workflow/rules/evaluate.smk"
include: "workflow/rules/report.smk"


rule all:
    """The report, and with it everything that it tells about."""
    default_target: True
    input:
        rules.report.output.page,
    localrule: True
