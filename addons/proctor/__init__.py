"""proctor stands between Claude and everything Claude can reach."""

__version__ = "0.1.0"
