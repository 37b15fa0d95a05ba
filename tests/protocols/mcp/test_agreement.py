"""Header and body say the same, or the request is refused."""

import base64
import dataclasses
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mcp.shared.inbound import encode_header_value, mcp_param_headers

from proctor.errors import ClientError
from proctor.protocols.mcp.agreement import agree, agree_unsaid, modern, repeated
from proctor.protocols.mcp.messages import Message, dumped, read

MODERN = "2026-07-28"


def message(method: str, version: str | None = MODERN, **params: Any) -> Message:
    meta = {} if version is None else {"io.modelcontextprotocol/protocolVersion": version}
    return read(
        json.dumps(
            {"jsonrpc": "2.0", "id": 1, "method": method, "params": {"_meta": meta, **params}}
        ).encode()
    )


def headers(**fields: str) -> list[tuple[str, str]]:
    return [("MCP-" + name.replace("_", "-"), value) for name, value in fields.items()]


CALL = message("tools/call", name="add", arguments={"a": 1})


@pytest.mark.parametrize(
    ("fields", "sent"),
    [
        (headers(Protocol_Version=MODERN, Method="tools/call", Name="add"), CALL),
        (headers(Protocol_Version=MODERN, Method="tools/call", Name="=?base64?YWRk?="), CALL),
        (headers(Protocol_Version=MODERN, Method="tools/call", Name=" add\t"), CALL),
        (headers(Protocol_Version=MODERN, Method="tools/list"), message("tools/list")),
        (
            headers(Protocol_Version=MODERN, Method="resources/read", Name="file:///a"),
            message("resources/read", uri="file:///a"),
        ),
        (
            headers(Protocol_Version=MODERN, Method="tasks/get", Name="t1"),
            message("tasks/get", taskId="t1"),
        ),
        (headers(Protocol_Version=MODERN), read(b'{"jsonrpc":"2.0","method":"notifications/x"}')),
        (headers(Protocol_Version="2025-11-25"), message("tools/call", None, name="add")),
        ([], message("initialize", None, protocolVersion="2025-11-25")),
        (
            headers(Protocol_Version="2025-06-18", Session_Id="s"),
            read(b'{"jsonrpc":"2.0","id":1,"result":{}}'),
        ),
    ],
)
def test_agrees(fields: list[tuple[str, str]], sent: Message) -> None:
    agree(fields, sent)


@pytest.mark.parametrize(
    ("fields", "sent"),
    [
        ([], CALL),
        (headers(Method="tools/call", Name="add"), CALL),
        (headers(Protocol_Version="2025-11-25", Method="tools/call", Name="add"), CALL),
        (headers(Protocol_Version=MODERN, Name="add"), CALL),
        (headers(Protocol_Version=MODERN, Method="tools/list", Name="add"), CALL),
        (headers(Protocol_Version=MODERN, Method="Tools/call", Name="add"), CALL),
        (headers(Protocol_Version=MODERN, Method="tools/call"), CALL),
        (headers(Protocol_Version=MODERN, Method="tools/call", Name="sub"), CALL),
        (headers(Protocol_Version=MODERN, Method="tools/call", Name="=?base64?YWRk?"), CALL),
        (headers(Protocol_Version=MODERN, Method="tools/call", Name="=?base64?YWR?="), CALL),
        (headers(Protocol_Version=MODERN, Method="tools/call", Name="=?base64?YWRl?="), CALL),
        (headers(Protocol_Version=MODERN, Method="tools/call", Name="=?base64?/w==?="), CALL),
        (
            headers(Protocol_Version=MODERN, Method="tools/call", Name="=?base64?YQ==?="),
            message("tools/call", name="b"),
        ),
        (
            headers(Protocol_Version=MODERN, Method="tools/call", Name="=?base64?YR==?="),
            message("tools/call", name="a"),
        ),
        (headers(Protocol_Version=MODERN, Method="tools/list", Name="add"), message("tools/list")),
        (
            [
                *headers(Protocol_Version=MODERN, Method="tools/call", Name="add"),
                ("mcp-name", "add"),
            ],
            CALL,
        ),
        (
            headers(Protocol_Version="2025-11-25", Name="sub"),
            message("tools/call", None, name="add"),
        ),
        (headers(Protocol_Version=MODERN, Method="tools/call", Name="add\x01"), CALL),
        (headers(Protocol_Version=MODERN, Method="tools/call", Name="add", Param_A="2"), CALL),
        (headers(Protocol_Version=MODERN, Method="tools/call", Name="add", Param_A="é"), CALL),
        (headers(Protocol_Version=MODERN, Method="tools/list", Param_A="1"), message("tools/list")),
    ],
)
def test_disagrees(fields: list[tuple[str, str]], sent: Message) -> None:
    with pytest.raises(ClientError) as caught:
        agree(fields, sent)
    assert caught.value.code == "mcp-header-mismatch"
    assert caught.value.status == 400


def test_a_body_names_its_revision_too() -> None:
    fields = headers(Protocol_Version=MODERN, Method="tools/call", Name="add")
    with pytest.raises(ClientError) as caught:
        agree(fields, message("tools/call", None, name="add"))
    assert caught.value.code == "mcp-params"


@pytest.mark.parametrize("version", ["2027-01-01", "", "2026-07-28, 2025-11-25"])
def test_unknown_revision(version: str) -> None:
    with pytest.raises(ClientError) as caught:
        agree(headers(Protocol_Version=version), message("tools/list", version))
    assert caught.value.code == "mcp-version"


def test_modern() -> None:
    assert modern(CALL)
    assert not modern(message("tools/list", None))


@given(st.text(max_size=30))
def test_names_as_the_sdk_encodes_them(name: str) -> None:
    sent = message("tools/call", name=name)
    fields = headers(Protocol_Version=MODERN, Method="tools/call", Name=encode_header_value(name))
    agree(fields, sent)
    fields[2] = ("mcp-name", encode_header_value(name + "x"))
    with pytest.raises(ClientError):
        agree(fields, sent)


@given(
    st.dictionaries(
        st.sampled_from("abc"),
        st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text(max_size=20),
    )
)
def test_params_as_the_sdk_repeats_them(values: dict[str, Any]) -> None:
    arguments = {"outer": values}
    names: dict[tuple[str, ...], str] = {("outer", key): key for key in values}
    sent = message("tools/call", name="t", arguments=arguments)
    fields = headers(Protocol_Version=MODERN, Method="tools/call", Name="t")
    agree([*fields, *mcp_param_headers(names, arguments).items()], sent)


def test_whole_numbers_are_compared_as_numbers() -> None:
    fields = headers(Protocol_Version=MODERN, Method="tools/call", Name="t", Param_N="42.0")
    agree(fields, message("tools/call", name="t", arguments={"n": 42}))
    agree(fields, message("tools/call", name="t", arguments={"n": 42.0}))
    fields[3] = ("mcp-param-n", "42.5")
    with pytest.raises(ClientError):
        agree(fields, message("tools/call", name="t", arguments={"n": 42}))


def test_no_value_in_errors() -> None:
    secret = base64.b64encode(b"hunter2-hunter2").decode()
    fields = headers(Protocol_Version=MODERN, Method="tools/call", Name=secret)
    with pytest.raises(ClientError) as caught:
        agree(fields, CALL)
    assert secret not in str(caught.value)


def changed(before: Message, **arguments: object) -> Message:
    """The same call with other arguments."""
    params = {**before.params, "arguments": {**before.params["arguments"], **arguments}}
    return dataclasses.replace(before, params=params)


@given(st.text(max_size=40), st.text(max_size=40))
def test_what_repeats_a_changed_body_agrees_with_it(was: str, now: str) -> None:
    before = read(dumped(call(to=was, deep={"other": 7, "flag": True})))
    after = changed(before, to=now)
    fields = [
        (b"Accept", b"*/*"),
        (b"Mcp-Name", b"t"),
        (b"Mcp-Param-To", encode_header_value(was).encode()),
        (b"mcp-param-other", b"7.0"),
        (b"mcp-param-flag", b"true"),
    ]
    sent = repeated(fields, before, after)
    assert [name for name, _ in sent] == [name for name, _ in fields]
    agree(((n.decode(), v.decode("latin-1")) for n, v in sent), after)
    if was != now:
        assert dict(sent)[b"Mcp-Param-To"] == encode_header_value(now).encode()


def test_what_repeats_nothing_is_left_out() -> None:
    before = read(dumped(call(to="x")))
    fields = [(b"mcp-param-to", b"y"), (b"mcp-method", b"tools/call")]
    assert repeated(fields, before, before) == ((b"mcp-method", b"tools/call"),)


def call(**arguments: object) -> dict[str, object]:
    params = {"name": "t", "arguments": arguments}
    return {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}


@pytest.mark.parametrize("name", ["mcp-name", "Mcp-Method", "MCP-Param-x"])
def test_without_a_message_nothing_is_repeated(name: str) -> None:
    agree_unsaid([("accept", "*/*"), ("mcp-protocol-version", "2025-11-25")])
    with pytest.raises(ClientError) as caught:
        agree_unsaid([(name, "x")])
    assert caught.value.code == "mcp-header-mismatch"
    with pytest.raises(ClientError) as caught:
        agree_unsaid([("mcp-protocol-version", "2030-01-01")])
    assert caught.value.code == "mcp-version"
