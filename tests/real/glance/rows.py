"""Makes rows through the image service's own database layer, on the database of a configuration.

Leaves one JSON object in a file: what was made, by names and IDs.
"""

import json
import os
import uuid

import glance.db  # noqa: F401 - the layer wants it first
from glance import context
from glance.common import config, exception  # noqa: F401
from glance.db.sqlalchemy import api, models
from oslo_config import cfg


def make(path: str, directory: str, answer: str) -> None:
    cfg.CONF([], project="glance", prog="glance-manage", default_config_files=[path])
    models.register_models(api._get_engine() if hasattr(api, "_get_engine") else api.get_engine())
    me = context.get_admin_context()
    ids = {name: str(uuid.uuid4()) for name in ("active", "saving", "deleted", "task", "other")}

    def image(name: str, **said: object) -> None:
        base = {
            "id": ids[name],
            "disk_format": "raw",
            "container_format": "bare",
            "status": "queued",
        }
        api.image_create(me, {**base, "name": f"<b>{name}</b>", **said})

    image(
        "active",
        status="active",
        size=3,
        checksum="900150983cd24fb0d6963f7d28e17f72",
        os_hash_algo="sha256",
        os_hash_value="ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
        locations=[
            {
                "url": f"file://{directory}/{ids['active']}",
                "metadata": {"store": "fast"},
                "status": "active",
            }
        ],
    )
    image("saving", status="saving")
    image("deleted", status="queued")
    api.image_destroy(me, ids["deleted"])
    for task in ("task", "other"):
        api.task_create(
            me,
            {
                "id": ids[task],
                "type": "api_image_import",
                "status": "pending",
                "owner": "p",
                "image_id": ids["active"],
                "input": {"backend": ["slow"]},
            },
        )
    api.image_set_property_atomic(ids["active"], "os_glance_import_task", ids["task"])
    api.task_update(me, ids["task"], {"status": "processing", "message": "Copied 5 MiB"})
    try:
        api.image_set_property_atomic(ids["active"], "os_glance_import_task", ids["other"])
        ids["second"] = "taken twice"
    except exception.Duplicate:
        ids["second"] = "refused"
    with open(f"{answer}.new", "w") as file:
        json.dump(ids, file)
    os.rename(f"{answer}.new", answer)
