# One self-contained page about everything above; several experiments are compared in a table besides.


rule report:
    """Puts everything on one self-contained HTML page: data, training, metrics beside the published ones, errors of
    each joint, samples; with several experiments also their comparison, as a table beside it.
    """
    input:
        rules.check.input,
        rules.index.input,
        rules.images.input,
        rules.parts.input,
        rules.evaluate.input,
        rules.train.input,
        settings=LAYOUT.settings("report"),
    output:
        **({"comparison": LAYOUT.report() / "comparison.csv"} if len(RUN.experiments) > 1 else {}),
        page=report(
            LAYOUT.report() / "index.html",
            caption="../report/page.rst",
            category="Report",
            labels={"what": "the whole run on one page"},
        ),
    log:
        LAYOUT.log("report"),
    benchmark:
        LAYOUT.benchmark("report")
    conda:
        "../../envs/train.yaml"
    threads: 1
    resources:
        mem_mb=growing(4000),
        runtime=growing(30),
    message:
        "Writing the report"
    shell:
        "python -m digit report --config {input.settings:q} --log {log:q}"
