# One network per experiment. Its unfinished state lives in train/.progress/, which is no output, so that
# Snakemake does not delete it: an interrupted run continues.


rule train_experiment:
    input:
        **samples("train"),
        **samples("val"),
        settings=LAYOUT.settings("experiments/{experiment}"),
        pretrained=lambda wildcards: present(RUN.experiments[wildcards.experiment].model.pretrained),
    output:
        best=LAYOUT.train("{experiment}") / "best.ckpt",
        last=LAYOUT.train("{experiment}") / "last.ckpt",
        history=LAYOUT.train("{experiment}") / "history.csv",
        config=LAYOUT.train("{experiment}") / "config.yaml",
        provenance=LAYOUT.train("{experiment}") / "provenance.json",
    log:
        LAYOUT.log("train/{experiment}"),
    benchmark:
        LAYOUT.benchmark("train/{experiment}")
    conda:
        "../../envs/train.yaml"
    threads: lambda wildcards: train_threads(RUN.experiments[wildcards.experiment].training)
    resources:
        gpu=1,
        mem_mb=16000,
        runtime=7 * 24 * 60,
    message:
        "Training {wildcards.experiment}"
    shell:
        "python -m digit train --experiment {wildcards.experiment} --config {input.settings:q} 2>&1 | tee {log:q}"


rule train:
    input:
        expand(rules.train_experiment.output.last, experiment=RUN.experiments),
    message:
        "All experiments are trained"
