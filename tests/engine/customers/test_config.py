"""Every key has a default and a range, and a wrong one is named by its path."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.customers.config import CustomerConfig, customer_config_keys, parse_customer_config, read_customer_config
from engine.errors import BadDefinition, MissingFile


def test_nothing_given_means_the_defaults(tmp_path: Path) -> None:
    assert (
        read_customer_config(None, home=tmp_path)
        == parse_customer_config(None)
        == parse_customer_config({})
        == CustomerConfig()
    )


def test_the_file_in_the_home_is_read_and_another_may_be_named(tmp_path: Path) -> None:
    (tmp_path / "customers.yaml").write_text("rfm: {window_days: 90}\n")
    (tmp_path / "other.yaml").write_text("cadence: {lapsed: 0.99}\nlifetime_value: {model: bg_nbd}\n")
    assert read_customer_config(None, home=tmp_path).rfm.window_days == 90
    other = read_customer_config(tmp_path / "other.yaml", home=tmp_path)
    assert (other.rfm.window_days, other.cadence.lapsed, other.lifetime_value.model) == (365, 0.99, "bg_nbd")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"rfn": {}}, "customers.yaml.rfn: unknown key; did you mean 'rfm'"),
        ({"rfm": {"window": 3}}, "customers.yaml.rfm.window: unknown key; did you mean 'window_days'"),
        ({"rfm": {"window_days": 1.5}}, "customers.yaml.rfm.window_days: 1.5 is no whole number"),
        ({"rfm": {"window_days": 0}}, "must lie between 1 and"),
        ({"rfm": {"window_days": True}}, "is no whole number"),
        ({"rfm": {"window_days": float("nan")}}, "customers.yaml.rfm.window_days"),
        ({"rfm": [1]}, "customers.yaml.rfm: must be keys and values"),
        ([], "must be keys and values"),
        ({"tiers": {"platinum": 0.9, "gold": 0.2}}, "customers.yaml.tiers: the three shares together are more than 1"),
        ({"abcd": {"a": 0.9, "b": 0.2}}, "customers.yaml.abcd: the two shares"),
        ({"cadence": {"slowing": 0.95}}, "customers.yaml.cadence: must rise"),
        ({"cadence": {"min_days": 900}}, "customers.yaml.cadence.max_days: must be above"),
        ({"groups": {"k_min": 9}}, "customers.yaml.groups.k_max"),
        ({"dayparts": {"lunch": 4}}, "customers.yaml.dayparts: hours must rise"),
        ({"lifetime_value": {"model": "pareto"}}, "'pareto' is none of auto, bg_nbd, mbg_nbd"),
    ],
)
def test_a_wrong_key_is_named_by_its_path(content: object, message: str) -> None:
    with pytest.raises(BadDefinition) as refused:
        parse_customer_config(content)
    assert message in str(refused.value)


def test_broken_and_missing_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "customers.yaml").write_text("rfm: [\n")
    with pytest.raises(BadDefinition, match="is not YAML"):
        read_customer_config(None, home=tmp_path)
    with pytest.raises(MissingFile):
        read_customer_config(tmp_path / "none.yaml", home=tmp_path)


def test_every_key_is_in_the_guide() -> None:
    guide = Path(__file__).parents[3] / "docs" / "guides" / "customers.md"
    text = guide.read_text(encoding="utf-8")
    for key, default, about in customer_config_keys():
        assert f"| `{key}` | {default} | {about} |" in text
