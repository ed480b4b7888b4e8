import json
import re
import shutil

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from digit import metrics
from digit.config import merge, resolve, to_dict
from digit.report import charts, facts, tables
from digit.report.samples import pick
from digit.run.errors import UserError
from digit.run.files import write_json
from digit.stages.evaluate import evaluate
from digit.stages.report import report
from tests.conftest import LOOKS

BENCHMARK = "s\th:m:s\tmax_rss\tmax_vms\tmax_uss\tmax_pss\tio_in\tio_out\tmean_load\tcpu_time\n"


@pytest.fixture
def page(evaluated_run):
    folder = evaluated_run.layout.run / "benchmarks"
    for name, seconds, memory in (
        ("images/test-0", "2.5", "NA"),
        ("images/test-1", "1.5", "90"),
        ("train/tiny", "61", "7"),
    ):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / f"{name}.tsv").write_text(f"{BENCHMARK}{seconds}\t0:00:02\t{memory}" + "\t0" * 7 + "\n")
    report(evaluated_run.config)
    return (evaluated_run.layout.report() / "index.html").read_text()


def test_every_metric_is_in_the_table():
    assert tuple(tables.TITLES) == metrics.SCALARS


def test_the_page_needs_nothing_from_outside(page):
    assert not re.findall(r"""(?:src|href)\s*=\s*["'](?!data:|#)[^"']*""", page)
    shown = re.sub(r"<pre.*?</pre>", "", page, flags=re.DOTALL)  # the configuration names mirrors
    assert not re.findall(r"@import|url\(|fetch\(|https?://(?!www\.w3\.org)", shown)
    assert len(page) < 15_000_000


@LOOKS
def test_the_page_fits_the_window_and_has_no_barriers(page, evaluated_run, open_page, barriers, width, scheme):
    address = (evaluated_run.layout.report() / "index.html").as_uri()
    shown = open_page(address, width=width, height=800, color_scheme=scheme)
    name = "Capture0/0010_rh_rangeofmotion/cam400012/image2000.jpg"
    shown.evaluate("name => document.querySelector('.row header span:last-child').textContent = name", name)
    assert shown.evaluate("document.documentElement.scrollWidth") <= width
    assert not barriers(shown)


def test_every_link_has_its_section(page):
    anchors = set(re.findall(r'href="#([\w-]+)"', page))
    assert anchors >= {"metrics", "samples", "experiments"}
    assert anchors <= set(re.findall(r'id="([\w-]+)"', page))


def test_the_page_shows_what_the_files_say(page, evaluated_run):
    trained = facts.read_trained(evaluated_run.config, evaluated_run.layout, "tiny")
    assert [(e.split, e.root_depth) for e in trained.evaluations] == [("test", "rootnet"), ("test", "gt")]
    document = trained.evaluations[0].document
    assert f"{document['metrics']['mpjpe_all']:.2f}" in page
    assert f"{document['baseline_mean_pose']['metrics']['mpjpe_all']:.2f}" in page
    assert document["protocol"]["checkpoint_sha256"] in page
    assert page.count("<canvas") == page.count('class="row"') >= 9
    assert "Not the network of the paper" in page
    assert "10.73" in page and "11.27" in page
    assert "model.depth_box_mm: 400.0" in page
    assert "4.0 s (2 jobs, 0.1 GB)" in page
    assert not re.search(r"\b(?:nan|None)\b", re.sub(r"base64,[\w+/=]+|<script.*", "", page, flags=re.S))


def with_backbone(run, name, origin, **changes):
    """The run with another start of one experiment's backbone."""
    path = run.layout.train(name) / "provenance.json"
    write_json(path, json.loads(path.read_text()) | {"backbone_weights": origin})
    experiments = {k: to_dict(v) for k, v in run.config.experiments.items()}
    experiments[name] = merge(experiments[name], changes)
    return resolve(to_dict(run.config) | {"experiments": experiments})


def alarms_of(run, config):
    report(config)
    page = (run.layout.report() / "index.html").read_text()
    return re.findall(r'<div class="notice alarm" role="alert"><p>(.*?)</p>', page), page


def test_a_random_backbone_by_design_is_a_quiet_line(page):
    assert 'role="alert"' not in page
    assert "<dt>Backbone weights</dt><dd>random, as intended by preset tiny</dd>" in page


def test_weights_asked_for_and_not_had_raise_an_alarm_above_all_numbers(evaluated_run):
    origin = "random, because timm's weights could not be fetched"
    config = with_backbone(evaluated_run, "wide", origin, model={"pretrained": "timm"})
    alarms, page = alarms_of(evaluated_run, config)
    assert len(alarms) == 2, "above all numbers, and above the training of this experiment"
    assert all("Experiment wide:" in alarm and "RANDOM weights" in alarm for alarm in alarms)
    assert "timm was asked for and not had" in alarms[0] and "hrnet_w32-36af842e.pth" in alarms[0]
    assert page.index("RANDOM weights") < page.index('class="tiles"')


def test_the_papers_preset_without_imagenet_raises_an_alarm(evaluated_run):
    config = with_backbone(evaluated_run, "tiny", "random", preset="paper")
    alarms, _ = alarms_of(evaluated_run, config)
    assert len(alarms) == 2 and all("model.pretrained is null" in alarm for alarm in alarms)


def test_pretrained_backbones_raise_none(evaluated_run):
    config = with_backbone(evaluated_run, "tiny", "hrnet_w32-36af842e.pth (sha256 36af842e)", preset="paper")
    alarms, page = alarms_of(evaluated_run, config)
    assert alarms == [] and "hrnet_w32-36af842e.pth (sha256 36af842e)" in page


def test_every_root_and_both_joint_sets_stand_side_by_side(page, evaluated_run):
    table = page.partition("<h3>Every protocol</h3>")[2].partition("</table>")[0]
    assert table.count("40 joints, mm") == 3
    published = page.partition("<h3>Published results on InterHand2.6M</h3>")[2].partition("</table>")[0]
    for name in evaluated_run.config.experiments:
        for root_depth, label in (("rootnet", "RootNet"), ("gt", "ground truth")):
            path = evaluated_run.layout.evaluation(name, "test", root_depth) / "metrics.json"
            row = table.partition(f"<td>{name}</td><td>test, {label} root</td>")[2].partition("</tr>")[0]
            metrics = json.loads(path.read_text())["metrics"]
            for kind in ("sh", "ih", "all"):
                assert (
                    f">{metrics[f'mpjpe_{kind}']:.2f}<" in row and f">{metrics[f'mpjpe_{kind}_no_wrist']:.2f}<" in row
                )
            for joints, suffix in ((42, ""), (40, "_no_wrist")) if name == "tiny" else ():
                cells = f"<td>test</td><td>{label}</td><td>{joints}</td>"
                ours = published.partition(f"<td>this run, {name}</td><td>InterHand2.6M</td>{cells}")[2]
                assert f">{metrics[f'mpjpe_all{suffix}']:.2f}<" in ours.partition("</tr>")[0]


def test_equal_runs_give_equal_pages(page, evaluated_run):
    report(evaluated_run.config)
    assert (evaluated_run.layout.report() / "index.html").read_text() == page


def test_missing_results_are_named(evaluated_run):
    shutil.rmtree(evaluated_run.layout.evaluation("wide", "test", "gt"))
    with pytest.raises(UserError, match=r"wide.*metrics\.json.*snakemake --cores all evaluate"):
        report(evaluated_run.config)
    assert not evaluated_run.layout.report().joinpath("index.html").exists()


@pytest.mark.parametrize("name", ["tiny", "wide"])
def test_numbers_of_other_weights_are_refused(evaluated_run, name):
    path = evaluated_run.layout.train(name) / "best.ckpt"
    content = torch.load(path, weights_only=True)
    torch.save({**content, "epoch": 9}, path)
    again = rf"{name}/eval/test-rootnet/metrics\.json: .*{name}/train/best\.ckpt.*cores all evaluate.*digit evaluate"
    with pytest.raises(UserError, match=again):
        report(evaluated_run.config)
    assert not evaluated_run.layout.report().joinpath("index.html").exists()
    for root_depth in ("rootnet", "gt"):
        evaluate(evaluated_run.config, name, "test", root_depth)
    report(evaluated_run.config)


def test_an_evaluation_of_other_weights_changes_nothing_in_the_report(page, evaluated_run):
    other = evaluated_run.layout.train("wide") / "last.ckpt"
    evaluate(evaluated_run.config, "tiny", "test", "rootnet", checkpoint=other)
    report(evaluated_run.config)
    assert (evaluated_run.layout.report() / "index.html").read_text() == page


def test_missing_weights_are_named(evaluated_run):
    (evaluated_run.layout.train("wide") / "best.ckpt").unlink()
    with pytest.raises(UserError, match=r"wide.*best\.ckpt.*snakemake --cores all train"):
        report(evaluated_run.config)


def test_nothing_to_report_is_said():
    with pytest.raises(UserError, match="experiments"):
        report(resolve({}))


def test_a_broken_history_is_named(evaluated_run):
    path = evaluated_run.layout.train("tiny") / "history.csv"
    path.write_text("epoch,train_loss\n1,high\n")
    with pytest.raises(UserError, match=r"history\.csv.*snakemake --cores all train"):
        report(evaluated_run.config)


@given(st.floats(-1e6, 1e6), st.floats(1e-6, 1e6), st.integers(2, 9), st.booleans())
def test_ticks_enclose_the_range(low, span, count, whole):
    ticks = charts.nice_ticks(low, low + span, count, whole)
    step = ticks[1] - ticks[0]
    rounding = step * 1e-6 + np.spacing(abs(low) + span)
    assert ticks[0] <= low + rounding and ticks[-1] >= low + span - rounding
    assert len(ticks) <= 2 * count + 2 or whole
    np.testing.assert_allclose(np.diff(ticks), step, rtol=1e-3)


@given(st.floats(1e-6, 1e6), st.floats(1, 1e4))
def test_decades_enclose_the_range(low, factor):
    ticks = charts.decade_ticks(low, low * factor)
    assert ticks[0] <= low * 1.01 and ticks[-1] >= low * factor * 0.99


def test_samples_run_from_best_to_worst_of_each_hand_type():
    rng = np.random.default_rng(1)
    mean_mm = rng.random(90) * 50
    mean_mm[5] = np.nan
    hand_type = np.array([[1, 0], [0, 1], [1, 1]], dtype=bool)[np.arange(90) % 3]
    places = pick(mean_mm, hand_type, np.arange(90) // 3)
    assert len(set(places.tolist())) == 12 and 5 not in places
    for kind, part in (((1, 0), places[:3]), ((0, 1), places[3:6]), ((1, 1), places[6:])):
        members = np.flatnonzero((hand_type == kind).all(axis=1) & np.isfinite(mean_mm))
        assert mean_mm[part[0]] == mean_mm[members].min()
        assert mean_mm[part[-1]] == mean_mm[members].max()
        assert (np.diff(mean_mm[part]) > 0).all()


def test_few_samples_are_all_shown():
    assert sorted(pick(np.array([3.0, 1.0]), np.ones((2, 2), dtype=bool), np.zeros(2, int))) == [0, 1]
    assert not len(pick(np.array([np.nan]), np.ones((1, 2), dtype=bool), np.zeros(1, int)))
