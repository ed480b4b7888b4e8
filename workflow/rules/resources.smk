"""What jobs ask for, on one machine and on a cluster (docs/cluster.md)."""

import shutil

GPU_HERE = any(map(shutil.which, ("nvidia-smi", "rocm-smi")))


# Taking turns on one machine: a cluster has a queue for that, so nothing is counted there.
resource_scopes:
    local_gpu="local",


def growing(amount):
    """A resource that a retried job gets more of: a job killed for memory or time needs more, not the same."""
    return lambda wildcards, attempt: amount * attempt


def of_training(value):
    """A resource that follows from the training settings of the experiment."""
    return lambda wildcards: value(RUN.experiments[wildcards.experiment].training)


def train_threads(training):
    """On each node, a core for each process that trains and for each that loads its data."""
    return training.devices * (1 + training.num_workers)


def launcher(training):
    """How Slurm starts one process per GPU on several nodes, in which Lightning finds its rank; else nothing.

    On one node, one process starts the others itself, with or without Slurm.
    """
    if training.nodes == 1:
        return None
    return (
        f"srun --nodes={training.nodes} --ntasks={training.nodes * training.devices}"
        f" --ntasks-per-node={training.devices} --cpus-per-task={1 + training.num_workers} --cpu-bind=none"
        f" --kill-on-bad-exit=1"
    )


def train_resources():
    """GPUs and nodes of a training. ``gpu`` is what cloud executors read, ``gres`` what Slurm does, a node."""
    several = lambda value: of_training(lambda training: value(training) if training.nodes > 1 else None)
    return {
        "gpu": of_training(lambda training: training.devices * training.nodes),
        "gres": of_training(lambda training: f"gpu:{training.devices}"),
        # This machine's GPUs, or without any its cores.
        "local_gpu": of_training(lambda training: training.devices if GPU_HERE else 1),
        "nodes": several(lambda training: training.nodes),
        "tasks": several(lambda training: training.nodes * training.devices),
        # Slurm derives nothing from GPUs: tasks per node are given explicitly.
        "tasks_per_gpu": several(lambda training: 0),
        "cpus_per_task": several(lambda training: 1 + training.num_workers),
        "slurm_extra": several(lambda training: f"'--ntasks-per-node={training.devices}'"),
        "mpi": of_training(launcher),
    }
