# The audit of the data folder; nothing else starts before it has passed.


rule check_split:
    """Reads every annotation and compares the files with one another; decodes a sample of the images, or all of them
    (`data.check_images`). What is missing, damaged or impossible is listed at once, with what to do. Nothing else
    starts before it has passed.
    """
    input:
        settings=LAYOUT.settings("check"),
        data=data_files,
        # A user's million image files are not tracked.
        jpegs=LAYOUT.jpeg_folder() if SYNTHETIC else [],
        pieces=archive_pieces,
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
    """The audits of all splits that the run uses."""
    input:
        expand(rules.check_split.output.audit, split=USED_SPLITS),
    localrule: True
    message:
        "The data are complete"
