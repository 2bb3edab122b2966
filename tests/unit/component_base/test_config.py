"""Configuration files: what is taken and what is refused, with the place."""

from pathlib import Path

import pytest

from component_base.config import ClientConnection, ConfigError, Configuration, HealthConfig, LeaderElectionConfig, load, parse


class ExampleConfiguration(Configuration, frozen=True):
    client: ClientConnection
    leader_election: LeaderElectionConfig = LeaderElectionConfig(identity="me")
    health: HealthConfig = HealthConfig()


GOOD = """
apiVersion: coxswain.dev/v1
kind: ExampleConfiguration
client: {endpoints: ["127.0.0.1:6444"], caFile: ca, certFile: cert, keyFile: key}
"""


def test_a_good_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(GOOD + "health: {port: 10259}\n")
    config = load(path, ExampleConfiguration)
    assert config.client.endpoints == ["127.0.0.1:6444"]
    assert (config.health.address, config.health.port) == ("127.0.0.1", 10259)


REFUSED = (
    ("unknown key", GOOD + "colour: red\n", "colour"),
    ("unknown key further in", GOOD.replace("keyFile: key", "keyFile: key, portt: 1"), "$.client"),
    ("missing key", GOOD.replace(", keyFile: key", ""), "keyFile"),
    ("wrong type", GOOD.replace('["127.0.0.1:6444"]', "7"), "$.client.endpoints"),
    ("other version", GOOD.replace("dev/v1", "dev/v2"), "coxswain.dev/v2"),
    ("other kind", GOOD.replace("kind: Example", "kind: Other"), "OtherConfiguration"),
    ("no YAML", "a: [", "not valid YAML"),
    ("empty", "", "Expected `object`"),
    (
        "times that cannot work",
        GOOD + "leaderElection: {identity: me, leaseDurationSeconds: 1, renewDeadlineSeconds: 2}\n",
        "leaseDurationSeconds > renewDeadlineSeconds",
    ),
)


@pytest.mark.parametrize(("name", "text", "said"), REFUSED, ids=[row[0] for row in REFUSED])
def test_a_bad_file_is_refused_with_the_place(name: str, text: str, said: str) -> None:
    with pytest.raises(ConfigError) as error:
        parse(text, ExampleConfiguration, where="c.yaml")
    assert said in str(error.value)
    assert str(error.value).startswith("c.yaml")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"cannot read configuration .*nowhere\.yaml: No such file"):
        load(tmp_path / "nowhere.yaml", ExampleConfiguration)
