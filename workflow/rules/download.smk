# InterHand2.6M from its mirrors, only with data.download: true. The pieces of its archive and its annotations are no
# outputs: Snakemake would delete gigabytes before it ran the job again. The checkpoint lets later jobs see what arrived.

if RUN.data.download:

    checkpoint download:
        """Fetches the annotations and the images from the mirrors, verifies them, and lists what you have to get by
        hand. Only with `data.download: true`; runs where Snakemake runs, because nodes of a cluster often reach no
        network.
        """
        input:
            settings=LAYOUT.settings("download"),
        output:
            summary=LAYOUT.download(),
        log:
            LAYOUT.log("download"),
        benchmark:
            LAYOUT.benchmark("download")
        # Nodes of a cluster often reach no network.
        localrule: True
        conda:
            "../../envs/data.yaml"
        threads: 4
        resources:
            mem_mb=growing(4000),
            runtime=growing(24 * 60),
        message:
            "Downloading InterHand2.6M"
        shell:
            "python -m digit download --config {input.settings:q} --log {log:q}"
