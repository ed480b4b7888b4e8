"""Presets: what each one changes from the paper's values, which are the defaults of :mod:`digit.config`."""

from typing import Any

PRESETS: dict[str, dict[str, Any]] = {
    "paper": {},
    "tiny": {
        "model": {
            "backbone": "hrnet_w18_small",
            "input_size": 64,
            "depth_box_mm": 200.0,
            "segm_upsample": [16, 16],
            "segm_features": [16, 16],
            "unet": [24, 32, 48, 64],
            "head": [24, 32, 48, 64],
            "resnet": "resnet18",
            "deconvolution": [32, 32, 32],
        },
        "augment": {"translation": 0.03, "scale": 0.06, "rotation_deg": 8.0},
        "losses": {"joint": 8.0, "rel_root_depth": 0.2},
        "training": {
            "max_epoch": 22,
            "batch_size": 16,
            "iter_batch": 16,
            "optimizer": "adamw",
            "lr": 2e-3,
            "schedule": "one_cycle",
            "weight_decay": 0.01,
            "clip_norm": 10.0,
            "precision": "32",
            "eval_every_epoch": 5,
            "recalibrate_images": 512,
            "devices": 2,
            "num_workers": 0,
        },
    },
    "small": {
        "model": {
            "backbone": "tf_efficientnet_lite0",
            "neck": 64,
            "input_size": 128,
            "segm_upsample": [32, 32],
            "segm_features": [16, 32],
            "unet": [32, 48, 64, 96],
            "head": [32, 48, 64, 96],
        },
        "augment": {"translation": 0.08},
        "losses": {"joint": 8.0, "rel_root_depth": 0.2, "hand_type": 4.0},
        "training": {
            "max_epoch": 30,
            "batch_size": 16,
            "iter_batch": 8,
            "optimizer": "adamw",
            "lr": 1e-3,
            "schedule": "constant",
            "warm_up_steps": 100,
            "decay_epochs": 5,
            "weight_decay": 0.01,
            "clip_norm": 10.0,
            "ema_decay": 0.999,
            "precision": "bf16",
            "eval_every_epoch": 1,
            "recalibrate_images": 512,
            "devices": 2,
            "num_workers": 0,
        },
    },
}
"""What each preset changes from the paper's values, which are the dataclasses' defaults."""
