# Part masks and fit errors, one shard of frames at a time, and a contact sheet to look at.


rule parts_shard:
    """Poses the hand model with each annotated fit, draws the part masks of one shard, and measures how well each
    fit agrees with the annotated joints; or takes masks over that the original's scripts rendered
    (`data.mask_lmdb`).
    """
    input:
        settings=LAYOUT.settings("parts"),
        tables=rules.index_split.output.tables,
        hands=hand_files,
        rendered=lambda wildcards: original_files(*rendered_files(wildcards)),
    output:
        store=LAYOUT.parts("{split}", "{shard}"),
        fit=LAYOUT.fit("{split}", "{shard}"),
    log:
        LAYOUT.log("parts/{split}-{shard}"),
    benchmark:
        LAYOUT.benchmark("parts/{split}-{shard}")
    conda:
        "../../envs/render.yaml"
    threads: 1
    resources:
        mem_mb=growing(4000),
        runtime=growing(60),
    message:
        "Drawing part masks of {wildcards.split}, shard {wildcards.shard}"
    shell:
        "python -m digit parts --split {wildcards.split} --shard {wildcards.shard}"
        " --config {input.settings:q} --log {log:q}"


rule contact_sheet:
    """Lays part masks over images of a split, to be looked at by a person: a wrong camera or hand model shows at
    once.
    """
    input:
        settings=LAYOUT.settings("parts"),
        tables=rules.index_split.output.tables,
        images=expand(rules.images_shard.output.store, shard=SHARDS, allow_missing=True),
        parts=expand(rules.parts_shard.output.store, shard=SHARDS, allow_missing=True),
        fits=expand(rules.parts_shard.output.fit, shard=SHARDS, allow_missing=True),
    output:
        png=report(
            LAYOUT.contact_sheet("{split}"),
            caption="../report/contact_sheet.rst",
            category="Data",
            labels={"what": "part masks", "split": "{split}"},
        ),
    log:
        LAYOUT.log("contact_sheet/{split}"),
    benchmark:
        LAYOUT.benchmark("contact_sheet/{split}")
    localrule: True
    conda:
        "../../envs/render.yaml"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=growing(15),
    message:
        "Contact sheet of the {wildcards.split} split"
    shell:
        "python -m digit sheet --split {wildcards.split} --config {input.settings:q} --log {log:q}"


rule parts:
    """The part masks and contact sheets of all splits."""
    input:
        expand(rules.parts_shard.output, split=USED_SPLITS, shard=SHARDS),
        expand(rules.contact_sheet.output.png, split=USED_SPLITS),
    localrule: True
    message:
        "All part masks are drawn"
