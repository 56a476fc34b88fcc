"""What older api-versions call otherwise of a pool, and what only they could do with one.

Source: the change logs of azure-batch (10.0.0: task slots) and azure-mgmt-batch (14.0.0), Microsoft's OpenAPI of
2018-03-01.6.1, and the recorded refusal of upgradeos.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from batchimg_magics.emulator.batch.model import pools
from batchimg_magics.emulator.batch.rest.bodies import clean
from batchimg_magics.emulator.batch.rest.errors import missing_property, refusal
from batchimg_magics.emulator.batch.routes.pools import done, load
from batchimg_magics.emulator.http.messages import Routes

if TYPE_CHECKING:
    from batchimg_magics.emulator.http.messages import Call, Reply

routes = Routes("batch", "/pools")
_UPGRADES_UNTIL = "2018-03-01.6.1"


@routes.on("POST", "/{pool}/upgradeos", until=_UPGRADES_UNTIL)
def upgrade_os(call: Call) -> Reply:
    """Give the nodes of a cloud-service pool another version of their system."""
    _, pool = load(call, writing=True)
    wanted: Any = clean(call.body, frozenset({"targetOSVersion"}), "PoolUpgradeOSParameter").get("targetOSVersion")
    if wanted is None:
        raise missing_property("targetOSVersion")
    service = pool.doc.get("cloudServiceConfiguration")
    if service is None:
        raise refusal("PoolNotEligibleForOSVersionUpgrade")
    if wanted == service["osVersion"]:
        raise refusal("PoolVersionEqualsUpgradeVersion")
    pool.doc["cloudServiceConfiguration"] = service | {"osVersion": wanted}
    pools.save(call, pool)
    return done(call, 202, pool.headers())
