"""The public bulletin: statements under the office's own name, for everyone, without signing in.

Only published texts appear, with every earlier text, correction and withdrawal. Drills never appear. Pages need no
script and load nothing from elsewhere. Every answer has a strong `ETag` over everything that it shows. Links begin with
the deployment's public address, whatever `Host` says.
"""

from services.publish.bulletin.alerts import SIGNED, of_exercise
from services.publish.bulletin.pages import PAGE, preview, router
from services.publish.bulletin.queries import as_public, unbegun

__all__ = ["PAGE", "SIGNED", "as_public", "of_exercise", "preview", "router", "unbegun"]
