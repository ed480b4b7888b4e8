# JPEG files are packed as they are, one LMDB file per shard.


rule images_shard:
    """Packs the JPEG files of one shard into one LMDB file, byte for byte. From an earlier run it takes what has not
    changed. Images that the audit found damaged are left out, or stop it (`data.damaged_images`).
    """
    input:
        settings=LAYOUT.settings("images"),
        tables=rules.index_split.output.tables,
        # Says what is damaged inside. Checking again, say for another evaluation, does not repack or retrain anything.
        audit=ancient(rules.check_split.output.audit),
        jpegs=LAYOUT.jpeg_folder() if SYNTHETIC else [],
        pieces=archive_pieces,
        packed=lambda wildcards: original_files(RUN.data.image_lmdb),
    output:
        store=LAYOUT.images("{split}", "{shard}"),
    log:
        LAYOUT.log("images/{split}-{shard}"),
    benchmark:
        LAYOUT.benchmark("images/{split}-{shard}")
    conda:
        "../../envs/data.yaml"
    threads: 1
    resources:
        mem_mb=growing(4000),
        runtime=growing(60),
    message:
        "Packing images of {wildcards.split}, shard {wildcards.shard}"
    shell:
        "python -m digit images --split {wildcards.split} --shard {wildcards.shard}"
        " --config {input.settings:q} --log {log:q}"


rule images:
    """The images of all splits."""
    input:
        expand(rules.images_shard.output.store, split=USED_SPLITS, shard=SHARDS),
    localrule: True
    message:
        "All images are packed"
