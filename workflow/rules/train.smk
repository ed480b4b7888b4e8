# One network per experiment. Its unfinished state lives in train/.progress/, which is no output, so that
# Snakemake does not delete it: an interrupted run continues.


rule train_experiment:
    """Trains the network of one experiment. Interrupted, it resumes from its last saved state, also in the middle of
    an epoch, and ends with the same weights; the unfinished state is no output, so that Snakemake does not delete
    it.
    """
    input:
        **samples("train"),
        **samples("val"),
        settings=LAYOUT.settings("experiments/{experiment}"),
        weights=lambda wildcards: given_files(wildcards.experiment),
    output:
        best=LAYOUT.train("{experiment}") / "best.ckpt",
        last=LAYOUT.train("{experiment}") / "last.ckpt",
        history=LAYOUT.train("{experiment}") / "history.csv",
        overlays=directory(LAYOUT.train("{experiment}") / "overlays"),
        tensorboard=directory(LAYOUT.train("{experiment}") / "tensorboard"),
        config=LAYOUT.train("{experiment}") / "config.yaml",
        provenance=LAYOUT.train("{experiment}") / "provenance.json",
    log:
        LAYOUT.log("train/{experiment}"),
    benchmark:
        LAYOUT.benchmark("train/{experiment}")
    wildcard_constraints:
        experiment=one_of(TRAINED),
    conda:
        "../../envs/train.yaml"
    threads: lambda wildcards: train_threads(RUN.experiments[wildcards.experiment].training)
    resources:
        **train_resources(),
        mem_mb=growing(16000),
        # Does not grow: a training that runs out of time continues where it stopped.
        runtime=7 * 24 * 60,
    params:
        launcher=lambda wildcards: launcher(RUN.experiments[wildcards.experiment].training) or "",
    message:
        "Training {wildcards.experiment}"
    shell:
        "{params.launcher} python -m digit train --experiment {wildcards.experiment}"
        " --config {input.settings:q} --log {log:q}"


# Experiments with load_ckpt take given weights as they are.
rule adopt_weights:
    """Takes given weights as they are, in place of a training, for experiments with `load_ckpt`."""
    input:
        settings=LAYOUT.settings("experiments/{experiment}"),
        # Not filtered by present(): that the file is missing is said by a dry run, not after hours of other jobs.
        weights=lambda wildcards: GIVEN[wildcards.experiment],
    output:
        best=LAYOUT.train("{experiment}") / "best.ckpt",
        config=LAYOUT.train("{experiment}") / "config.yaml",
        provenance=LAYOUT.train("{experiment}") / "provenance.json",
    log:
        LAYOUT.log("train/{experiment}"),
    benchmark:
        LAYOUT.benchmark("train/{experiment}")
    wildcard_constraints:
        experiment=one_of(GIVEN),
    localrule: True
    conda:
        "../../envs/train.yaml"
    threads: 1
    resources:
        mem_mb=growing(4000),
        runtime=growing(10),
    message:
        "Taking over the given weights of {wildcards.experiment}"
    shell:
        "python -m digit train --experiment {wildcards.experiment} --config {input.settings:q} --log {log:q}"


rule train:
    """The weights of all experiments."""
    input:
        expand(rules.train_experiment.output, experiment=TRAINED),
        expand(rules.adopt_weights.output, experiment=GIVEN),
    localrule: True
    message:
        "All experiments are trained"
