"""The HTTP of each service as an OpenAPI document.

This tool finds services by name and looks at them from outside. The vocabulary itself depends on no service.
"""

import importlib
from pathlib import Path
from typing import Any

from schemas import catalogue


def services() -> dict[str, Any]:
    """The joined services by name."""
    return {name: importlib.import_module(f"services.{name}.app").SERVICE for name in catalogue.SERVICES}


def document(service: Any) -> dict[str, Any]:
    """The paths of one service, over a database that is never opened."""
    kernel: dict[str, Any] = {
        name.rpartition(".")[2]: importlib.import_module(f"services.kernel.{name}")
        for name in ("core.time_source", "store.database", "serving.http", "delivery.runtime", "settings")
    }
    settings, clock = kernel["settings"].Settings(), kernel["time_source"].TimeSource()
    database = kernel["database"].Database(Path("never-opened"))
    runtime = kernel["runtime"].Runtime(service, settings, database, clock, None, b"")
    made: dict[str, Any] = kernel["http"].application([runtime], title=f"Huiying {service.name}", keys=None).openapi()
    return made
