# Each stage depends on its own part of the configuration: a changed key reruns the stages that read it.


rule settings:
    """Writes the part of the configuration that one stage reads. Because each stage depends on its own part, a
    changed key repeats the stages that read it and no others.
    """
    output:
        yaml=LAYOUT.settings("{stage}"),
    log:
        LAYOUT.log("settings/{stage}"),
    benchmark:
        LAYOUT.benchmark("settings/{stage}")
    localrule: True
    conda:
        "../../envs/data.yaml"
    threads: 1
    resources:
        mem_mb=100,
        runtime=5,
    params:
        content=lambda wildcards: as_yaml(stage_settings(RUN, wildcards.stage)),
    message:
        "Settings of {wildcards.stage}"
    shell:
        "printf '%s' {params.content:q} 2> {log:q} > {output.yaml:q}"
