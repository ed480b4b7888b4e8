"""Another workflow takes this one in as a module, and keeps its own shell."""

import os
import re
import subprocess
import sys
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]
PARENT = f"""
configfile: "parent.yaml"


module digit:
    snakefile:
        "{ROOT}/Snakefile"
    config:
        config["digit"]


use rule * from digit as digit_*


rule own:
    input:
        "results/micro/settings/index.yaml",
    output:
        "own.txt",
    shell:
        "declare -F > {{output}}; echo $- >> {{output}}"
"""


def test_the_workflow_is_a_module_of_another(tmp_path):
    micro = yaml.safe_load((ROOT / "workflow/configs/micro.yaml").read_text())
    (tmp_path / "Snakefile").write_text(PARENT)
    (tmp_path / "parent.yaml").write_text(yaml.safe_dump({"digit": micro}))
    environment = {name: value for name, value in os.environ.items() if name != "DIGIT_WORKFLOW_PID"}
    environment |= {"PYTHONPATH": str(ROOT)}

    def snakemake(*arguments: str) -> str:
        command = [sys.executable, "-m", "snakemake", "--cores", "2", "--workflow-profile", "none", *arguments]
        done = subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120, check=False
        )
        assert done.returncode == 0, done.stderr[-6000:]
        return done.stdout + done.stderr

    assert re.search(r"digit_train_experiment +1", snakemake("--dry-run", "digit_all"))
    snakemake("own.txt")
    assert (tmp_path / "results/micro/settings/index.yaml").is_file()
    plain = subprocess.run(["bash", "-c", "set -euo pipefail; echo $-"], capture_output=True, text=True, check=True)
    assert (tmp_path / "own.txt").read_text() == plain.stdout, "no function, no option of this workflow's"
