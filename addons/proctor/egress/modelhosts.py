"""Hosts that serve models: behind a forward listener they speak anthropic, or nothing.

An agent that reaches a model in another way carries out what it likes, and the tool calls in the
answer are judged by nobody.
"""

import re

_MODELS = re.compile(
    r"""
    (?:.+\.)?api\.anthropic\.com
    | bedrock(?:-[a-z-]+)?(?:-fips)?\.[a-z0-9-]+\.amazonaws\.com(?:\.cn)?
    | bedrock-mantle\.[a-z0-9-]+\.api\.aws
    | (?:[a-z0-9-]+-)?aiplatform(?:\.[a-z0-9-]+\.rep)?\.googleapis\.com
    | generativelanguage\.googleapis\.com
    | (?:[a-z0-9-]+\.)?api\.openai\.com
    | [a-z0-9-]+\.openai\.azure\.com
    | [a-z0-9-]+\.services\.ai\.azure\.com
    | [a-z0-9.-]+\.inference\.ai\.azure\.com
    | api\.(?:mistral|x|cohere|groq|deepseek|together|perplexity)\.(?:ai|com|xyz)
    | openrouter\.ai
    """,
    re.VERBOSE,
)


def is_model_host(host: str) -> bool:
    """Whether a canonical host is known to serve a model."""
    return _MODELS.fullmatch(host) is not None
