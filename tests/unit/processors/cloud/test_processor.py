from connbeat.processors.cloud.processor import CloudMetadataConfig
from tests.unit.processors.trying import EVENT, Trial


def test_nothing_is_added_before_the_answer_is_there() -> None:
    trial = Trial("- add_cloud_metadata: {providers: [aws], timeout: 1s}")
    assert trial() is EVENT
    trial.services.known_facts = {"provider": "aws"}
    assert trial() == {**EVENT, "cloud": {"provider": "aws"}}
    assert trial.services.asked_for == [CloudMetadataConfig(providers=("aws",), timeout_seconds=1)]


def test_a_cloud_that_is_there_stays_unless_it_is_to_be_overwritten() -> None:
    document = {"cloud": {"provider": "other"}}
    trial = Trial("- add_cloud_metadata:")
    trial.services.known_facts = {"provider": "aws"}
    assert trial(document) is document
    assert Trial("- add_cloud_metadata.overwrite: true", trial.services)(document) == {
        "cloud": {"provider": "aws"}
    }
