"""What the commands that are processes have in common."""

from __future__ import annotations

from django.core.checks import Tags
from django.core.management.base import BaseCommand


class ProcessCommand(BaseCommand):
    """A command that runs until it is told to stop, and starts again at once when it was killed: of the system checks
    it asks those of safety alone, as all others take a third of a second and know nothing since the deployment."""

    requires_system_checks = [Tags.security]
