# The numbers of one experiment on one split, with one source of absolute root depth.


rule evaluate_experiment:
    """Predicts one split with one source of absolute root depth, and measures the predictions as docs/protocol.md says,
    with intervals, errors of each joint, and the mean pose of the training split as a baseline.
    """
    input:
        unpack(lambda wildcards: samples(wildcards.split)),
        # The mean pose of the training split is the baseline.
        baseline=LAYOUT.index("train") if TRAINED else [],
        settings=LAYOUT.settings("evaluate"),
        experiment=LAYOUT.settings("experiments/{experiment}"),
        best=LAYOUT.train("{experiment}") / "best.ckpt",
    output:
        metrics=report(
            LAYOUT.evaluation("{experiment}", "{split}", "{root_depth}") / "metrics.json",
            caption="../report/metrics.rst",
            category="Numbers",
            subcategory="{experiment}",
            labels={
                "what": "metrics",
                "split": "{split}",
                "root depth": "{root_depth}",
            },
        ),
        per_joint=report(
            LAYOUT.evaluation("{experiment}", "{split}", "{root_depth}") / "per_joint.csv",
            caption="../report/per_joint.rst",
            category="Numbers",
            subcategory="{experiment}",
            labels={
                "what": "errors per joint",
                "split": "{split}",
                "root depth": "{root_depth}",
            },
        ),
        predictions=LAYOUT.evaluation("{experiment}", "{split}", "{root_depth}") / "predictions.npz",
    log:
        LAYOUT.log("evaluate/{experiment}-{split}-{root_depth}"),
    benchmark:
        LAYOUT.benchmark("evaluate/{experiment}-{split}-{root_depth}")
    conda:
        "../../envs/train.yaml"
    threads: 1 + RUN.evaluate.num_workers
    resources:
        gpu=1,
        gres="gpu:1",
        local_gpu=1 if GPU_HERE else 0,
        mem_mb=growing(8000),
        runtime=growing(8 * 60),
    message:
        "Evaluating {wildcards.experiment} on {wildcards.split}, root depth from {wildcards.root_depth}"
    shell:
        "python -m digit evaluate --experiment {wildcards.experiment} --split {wildcards.split}"
        " --root-depth {wildcards.root_depth} --config {input.experiment:q} --config {input.settings:q}"
        " --log {log:q}"


rule evaluate:
    """The numbers of all experiments, splits and root depths."""
    input:
        expand(
            rules.evaluate_experiment.output,
            experiment=RUN.experiments,
            split=RUN.evaluate.splits,
            root_depth=RUN.evaluate.root_depth,
        ),
    localrule: True
    message:
        "All experiments are evaluated"
