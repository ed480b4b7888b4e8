"""The configuration: one YAML file, validated, as frozen dataclasses.

- :mod:`settings`: keys, types, bounds, defaults and descriptions
- :mod:`documents`: reading one file
- :mod:`paths`: which keys are paths, and what a shell or Snakemake would misread in them
- :mod:`loading`: merging and checking files; writing the schema
- :mod:`presets`: what each preset changes from the paper's values
- :mod:`schema`: JSON schemas of dataclasses, and what is wrong with a document that does not follow one
- :mod:`overrides`: keys as flags of the command line

``python -m digit.config`` rewrites the schema.
"""

from digit.config.loading import load_config, merge, resolve, to_dict, write_schema
from digit.config.settings import (
    LOSSES,
    SPLITS,
    AugmentSettings,
    Config,
    DataSettings,
    EvaluateSettings,
    Experiment,
    LossSettings,
    ModelSettings,
    PartsSettings,
    RootDepth,
    RunSettings,
    Split,
    SyntheticSettings,
    TrainingSettings,
)

__all__ = [
    "LOSSES",
    "SPLITS",
    "AugmentSettings",
    "Config",
    "DataSettings",
    "EvaluateSettings",
    "Experiment",
    "LossSettings",
    "ModelSettings",
    "PartsSettings",
    "RootDepth",
    "RunSettings",
    "Split",
    "SyntheticSettings",
    "TrainingSettings",
    "load_config",
    "merge",
    "resolve",
    "to_dict",
    "write_schema",
]
