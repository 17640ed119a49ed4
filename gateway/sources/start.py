"""Where manifests and expected sets come from beside MQTT: watched folders and the Metrc API."""

from __future__ import annotations

import time
from collections.abc import Callable, Coroutine, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

from gateway.config import Config
from gateway.config.books import CsvBook, MetrcBook
from gateway.errors import Refused
from gateway.inputs import Submit
from gateway.ops.logs import Logger
from gateway.ops.troubles import Troubles
from gateway.sources.access_folder import access_folder
from gateway.sources.book_folder import book_folder
from gateway.sources.expected_folder import expected_folder, zone_names
from gateway.sources.identifiers import IdentifierMap, read_identifiers
from gateway.sources.manifest_folder import manifest_folder
from gateway.sources.reads_folder import reads_folder
from gateway.sources.watched_folder import WatchedFolder

if TYPE_CHECKING:  # httpx is an extra
    from gateway.sources.metrc.access import Paces


def identifiers(config: Config, log: Logger, troubles: Troubles) -> IdentifierMap:
    """The identifier map of the site, read from its file; an empty one where identifiers are the EPCs. One that cannot
    be read knows nothing, which refuses manifests and stops no reader."""
    file = config.manifests.identifiers_file
    if file is None:
        return IdentifierMap()
    try:
        return read_identifiers(file)
    except Refused as refusal:
        log.error("the identifier map cannot be used: correct it and restart the gateway", reason=str(refusal))
        troubles.say("identifier map", f"{refusal}: correct it and restart the gateway")
        return IdentifierMap(unreadable=str(refusal))


def sources(
    config: Config, submit: Submit, known: IdentifierMap, now: Callable[[], int], log: Logger, troubles: Troubles
) -> Iterator[tuple[str, Coroutine[Any, Any, None]]]:
    """The sources that are configured, each with its name, ready to run. `submit` takes what they find,
    `troubles` what is wrong with them."""
    for name, folder in _folders(config, submit, known, log):
        folder.troubled = partial(troubles.say, name)
        yield name, folder.run()
    paces: Paces = {}
    for source in config.books.sources if config.books is not None else ():
        if isinstance(source, MetrcBook):
            try:
                from gateway.sources.metrc.access import connector
                from gateway.sources.metrc.book import MetrcPackages
            except ImportError as error:
                log.error("Metrc is not asked for its book: pip install 'rfid-gateway[metrc]'", reason=str(error))
                troubles.say(f"book {source.name}", "Metrc is not asked: pip install 'rfid-gateway[metrc]'")
                continue
            yield f"book {source.name}", MetrcPackages(source, submit, known, log, now, connector(source, paces)).run()
    if config.manifests.metrc is not None:
        try:
            from gateway.sources.metrc.access import connector
            from gateway.sources.metrc.poller import Metrc
        except ImportError as error:
            log.error("Metrc is not asked for manifests: pip install 'rfid-gateway[metrc]'", reason=str(error))
            troubles.say("manifests", "Metrc is not asked: pip install 'rfid-gateway[metrc]'")
            return
        yield (
            "metrc",
            Metrc(config.manifests.metrc, submit, known, log, now, connector(config.manifests.metrc, paces)).run(),
        )


def _folders(
    config: Config, submit: Submit, known: IdentifierMap, log: Logger
) -> Iterator[tuple[str, WatchedFolder]]:  # fmt: skip
    """The folders that are configured, each with the name of what comes in it."""
    now = time.monotonic
    if config.manifests.folder is not None:
        yield "manifest folder", manifest_folder(config.manifests.folder, submit, known, log, now)
    if config.expected is not None:
        names = zone_names(config)
        yield "folder of expected sets", expected_folder(config.expected, names, submit, known, log, now)
    if config.handhelds.folder is not None:
        yield "folder of reads", reads_folder(config.handhelds.folder, submit, log, now)
    if config.access is not None:
        yield "folder of access events", access_folder(config.access, submit, log, now)
    for source in config.books.sources if config.books is not None else ():
        if isinstance(source, CsvBook):
            yield f"book {source.name}", book_folder(source, submit, known, log, now)
