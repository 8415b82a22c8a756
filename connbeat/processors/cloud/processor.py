"""add_cloud_metadata: what machine of which cloud the agent is on, as `cloud.*` of ECS."""

from connbeat.model.documents import Document
from connbeat.processors.protocol import Processor, ProcessorConfig, Services


class CloudMetadataConfig(ProcessorConfig, frozen=True, kw_only=True):
    """`host` "" is each provider's own address; no `providers` are those that answer locally."""

    timeout_seconds: float = 3.0
    providers: tuple[str, ...] = ()
    overwrite: bool = False
    host: str = ""


def build(config: CloudMetadataConfig, services: Services) -> Processor:
    facts = services.facts(config)
    overwrites = config.overwrite

    def add(document: Document) -> Document:
        """Until the answer is there, and where there is no cloud, nothing is added."""
        cloud = facts()
        if cloud is None or ("cloud" in document and not overwrites):
            return document
        return {**document, "cloud": cloud}

    return add
