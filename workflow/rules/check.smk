# The audit of the data folder; nothing else starts before it has passed.


rule check_split:
    input:
        settings=LAYOUT.settings("check"),
        data=data_files,
        # A user's million image files are not tracked.
        jpegs=LAYOUT.jpeg_folder() if SYNTHETIC else [],
        hands=hand_files,
        packed=lambda wildcards: original_files(RUN.data.image_lmdb, *rendered_files(wildcards)),
    output:
        audit=LAYOUT.check("{split}"),
    log:
        LAYOUT.log("check/{split}"),
    benchmark:
        LAYOUT.benchmark("check/{split}")
    conda:
        "../../envs/data.yaml"
    # Images are decoded on several; the embedded data are too few for that.
    threads: 1 if SYNTHETIC else 4
    resources:
        mem_mb=growing(16000),
        runtime=growing(120),
    message:
        "Checking the {wildcards.split} split of the data"
    shell:
        "python -m digit check --split {wildcards.split} --config {input.settings:q} --log {log:q}"


rule check:
    input:
        expand(rules.check_split.output.audit, split=USED_SPLITS),
    localrule: True
    message:
        "The data are complete"
