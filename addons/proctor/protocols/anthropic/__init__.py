"""Anthropic's Messages API, sans-io."""
