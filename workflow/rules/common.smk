"""Configuration and paths that every rules file uses; all logic lives in digit/."""

import os
from pathlib import Path

from snakemake.exceptions import WorkflowError

from digit.archive.pieces import archive_folder, piece_files
from digit.config import SPLITS, resolve
from digit.config.documents import read_document
from digit.model.shipped import weights_path
from digit.run.errors import UserError
from digit.run.layout import Layout
from digit.run.processes import begin_workflow
from digit.stages.settings import as_yaml, stage_settings

try:
    # Snakemake would keep the last of two equal keys in silence.
    for path in map(Path, workflow.configfiles):
        if path.suffix in (".yaml", ".yml"):
            read_document(path)
    RUN = resolve(config)
    GIVEN = {name: str(weights_path(one.load_ckpt)) for name, one in RUN.experiments.items() if one.load_ckpt}
    STARTS = {
        name: str(weights_path(e.training.load_from)) for name, e in RUN.experiments.items() if e.training.load_from
    }
except UserError as error:
    raise WorkflowError(str(error)) from None

LAYOUT = Layout.of(RUN)
SYNTHETIC = RUN.data.source == "synthetic"
TRAINED = [name for name in RUN.experiments if name not in GIVEN]
USED_SPLITS = [s for s in SPLITS if s in RUN.evaluate.splits or (TRAINED and s in ("train", "val"))]
SHARDS = range(RUN.data.shards)

# Jobs inherit this environment; a killed run's lock is removed, and this run's is held for as long as it lives.
ALIVE = begin_workflow(Path(".snakemake"))


wildcard_constraints:
    split="train|val|test",
    shard=r"\d+",
    root_depth="rootnet|gt",
    experiment=r"[\w-]+",
    stage=r"[a-z]+|experiments/[\w-]+",


def one_of(names):
    """A pattern for exactly these names."""
    return "|".join(names) or "(?!)"


def present(*paths):
    """Those of the user's files that exist; a stage names the missing ones better than Snakemake does."""
    return [path for path in paths if path and os.path.exists(path)]


def given_files(name):
    """What a training begins with, if that lies in files of the user's."""
    experiment = RUN.experiments[name]
    return present(experiment.model.pretrained, STARTS.get(name), experiment.training.resume_ckpt)


def original_files(*paths):
    """Files that the original's scripts made, if they are there; of an LMDB folder its content."""
    return present(*(f"{path}/data.mdb" if path and os.path.isdir(path) else path for path in paths))


def archive_pieces(wildcards):
    """Pieces of the images' tar that are there, where the images are read from them."""
    folder = archive_folder(RUN)
    if RUN.data.download:
        checkpoints.download.get()
    return piece_files(folder) if folder else []


def rendered_files(wildcards):
    """The original's masks and fit errors of a split, where masks come from there."""
    cache = RUN.data.fit_cache
    return RUN.data.mask_lmdb, cache and f"{cache}/meta_dict_{wildcards.split}.pkl"


def data_files(wildcards):
    """What check and index read: with real data, the files that exist, so that check can name the rest."""
    if RUN.data.download:
        checkpoints.download.get()
    annotations, rootnet = LAYOUT.annotations(wildcards.split), LAYOUT.rootnet(wildcards.split)
    if SYNTHETIC:
        return [*annotations, *rootnet[:1], *LAYOUT.tables()]
    return present(*annotations, *rootnet, *LAYOUT.tables())


def hand_files(wildcards):
    """The user's own hand model, if there is one; parts says what is missing."""
    data, model = RUN.data, RUN.data.hand_model
    mano = [] if model == "open" else [f"{model}/MANO_{side}.pkl" for side in ("RIGHT", "LEFT")]
    return present(*mano, data.sealed_faces, data.joint_regressor)


def samples(split):
    """Tables, images and masks of a split, by name."""
    shards = [str(shard) for shard in range(RUN.data.shards)]
    return {
        f"{split}_tables": LAYOUT.index(split),
        f"{split}_images": [LAYOUT.images(split, shard) for shard in shards],
        f"{split}_parts": [LAYOUT.parts(split, shard) for shard in shards],
        f"{split}_fits": [LAYOUT.fit(split, shard) for shard in shards],
    }
