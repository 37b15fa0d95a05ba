"""Hosts that serve models."""

import pytest

from proctor.egress.modelhosts import is_model_host


@pytest.mark.parametrize(
    "host",
    [
        "api.anthropic.com",
        "eu.api.anthropic.com",
        "bedrock-runtime.us-east-1.amazonaws.com",
        "bedrock-runtime-fips.us-gov-west-1.amazonaws.com",
        "bedrock.eu-central-1.amazonaws.com",
        "bedrock-agent-runtime.eu-central-1.amazonaws.com",
        "bedrock-runtime.cn-north-1.amazonaws.com.cn",
        "bedrock-mantle.us-east-1.api.aws",
        "aiplatform.googleapis.com",
        "us-east5-aiplatform.googleapis.com",
        "aiplatform.eu.rep.googleapis.com",
        "generativelanguage.googleapis.com",
        "api.openai.com",
        "eu.api.openai.com",
        "corp.openai.azure.com",
        "corp.services.ai.azure.com",
        "corp.eastus.inference.ai.azure.com",
        "api.mistral.ai",
        "api.x.ai",
        "api.cohere.com",
        "api.groq.com",
        "api.deepseek.com",
        "api.together.xyz",
        "api.perplexity.ai",
        "openrouter.ai",
    ],
)
def test_they_are_known(host: str) -> None:
    assert is_model_host(host)


@pytest.mark.parametrize(
    "host",
    [
        "anthropic.com",
        "docs.anthropic.com",
        "api.anthropic.com.example.org",
        "xapi.anthropic.com",
        "s3.eu-central-1.amazonaws.com",
        "storage.googleapis.com",
        "openai.com",
        "portal.azure.com",
        "api.example.com",
        "localhost",
        "127.0.0.1",
        "",
    ],
)
def test_others_are_not(host: str) -> None:
    assert not is_model_host(host)
