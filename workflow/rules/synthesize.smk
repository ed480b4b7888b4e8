# The embedded data set, in InterHand2.6M's own layout. With data.source: interhand there is no such rule.

if SYNTHETIC:

    rule synthesize:
        """Draws the embedded data set with the open hand and writes it in InterHand2.6M's own layout: JPEG files,
        annotations, RootNet's results. Only with `data.source: synthetic`.
        """
        input:
            settings=LAYOUT.settings("synthesize"),
        output:
            images=directory(LAYOUT.jpeg_folder()),
            annotations=[f for split in SPLITS for f in LAYOUT.annotations(split)],
            rootnet=[LAYOUT.rootnet(split)[0] for split in ("val", "test")],
            tables=LAYOUT.tables(),
        log:
            LAYOUT.log("synthesize"),
        benchmark:
            LAYOUT.benchmark("synthesize")
        conda:
            "../../envs/render.yaml"
        threads: 8
        resources:
            mem_mb=growing(4000),
            runtime=growing(60),
        message:
            "Making the embedded data set"
        shell:
            "python -m digit synthesize --processes {threads} --config {input.settings:q} --log {log:q}"
