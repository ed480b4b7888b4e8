"""A prepared split in a DataLoader that knows nothing of this program."""

import pytest
import torch
import yaml
from torch.utils.data import DataLoader

import digit
from digit.config import to_dict


@pytest.fixture
def dataset(evaluated_run):
    return digit.open_dataset(evaluated_run.config, "test")


@pytest.mark.parametrize("workers", [0, 2])
def test_a_plain_loader_gives_the_batches(dataset, workers):
    batches = list(DataLoader(dataset, batch_size=5, num_workers=workers))
    assert [len(batch["image"]) for batch in batches] == [5, 5, 2]
    whole = dataset.batch(range(12))
    for name, values in whole.items():
        assert torch.equal(torch.cat([batch[name] for batch in batches]), values), name


def test_samples_one_by_one(dataset):
    assert len(dataset) == 12 and len(dataset.names) == 12
    sample, whole = dataset[3], dataset.batch([3])
    assert sample.keys() == whole.keys() and all(torch.equal(sample[name], whole[name][0]) for name in sample)
    assert torch.equal(dataset[-1]["image"], dataset[11]["image"])
    assert len(list(dataset)) == 12  # a list ends with an IndexError
    shuffled = DataLoader(dataset, batch_size=3, shuffle=True, generator=torch.Generator().manual_seed(0))
    rows = torch.cat([batch["row"] for batch in shuffled]).tolist()
    assert sorted(rows) == sorted(dataset.rows.tolist()) and rows != dataset.rows.tolist()


def test_a_configuration_of_any_form_opens_it(evaluated_run, dataset, tmp_path):
    content = to_dict(evaluated_run.config)
    path = tmp_path / "config.yaml"
    path.write_text(yaml.safe_dump(content))
    for config in (content, path, str(path)):
        assert digit.open_dataset(config, "test").names == dataset.names
    rootnet = digit.open_dataset(path, "minitest", root_depth="rootnet")
    assert rootnet.root_depth == "rootnet" and len(rootnet) == 12


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("testing",), "split 'testing': there is none; choose one of train, "),
        (("test", "big"), r"experiments\.big: no such experiment; the configuration has tiny, wide"),
        (("test", "tiny", "guess"), "root_depth 'guess': choose gt or rootnet"),
    ],
)
def test_what_cannot_be_opened_is_named(evaluated_run, arguments, message):
    with pytest.raises(digit.UserError, match=message):
        digit.open_dataset(evaluated_run.config, *arguments)
