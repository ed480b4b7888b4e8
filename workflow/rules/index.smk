# Annotation files become memory-mapped tables.


rule index_split:
    """Turns the annotation files of a split into tables that are mapped into memory: a network opens a million
    samples in milliseconds. Checking again does not rebuild them.
    """
    input:
        settings=LAYOUT.settings("index"),
        # Checking again, say more images, does not rebuild the tables.
        audit=ancient(rules.check_split.output.audit),
        data=data_files,
    output:
        tables=directory(LAYOUT.index("{split}")),
    log:
        LAYOUT.log("index/{split}"),
    benchmark:
        LAYOUT.benchmark("index/{split}")
    conda:
        "../../envs/data.yaml"
    threads: 1
    resources:
        mem_mb=growing(16000),
        runtime=growing(120),
    message:
        "Indexing the {wildcards.split} split"
    shell:
        "python -m digit index --split {wildcards.split} --config {input.settings:q} --log {log:q}"


rule index:
    """The tables of all splits."""
    input:
        expand(rules.index_split.output.tables, split=USED_SPLITS),
    localrule: True
    message:
        "All splits are indexed"
