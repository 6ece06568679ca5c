"""The spine of commerce360: settings, errors, logging, metrics; and, above the stages, the CLI, the local stack and reconcile."""

__version__ = "0.1.0"
