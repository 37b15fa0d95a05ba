# ruff: noqa: S608 - made of this package's own names and quoted paths
"""The views that others rely on (README, "The record, in SQL"), on top of the inner ones.

Text comes out of the content of a scope: a scope's blocks are joined into one long value, once for
all the rows of the scope, and each text is a few slices of it. The slices are expressions over the
row, so a query that does not select them does not compute them, and what is left of the join when
nothing is selected are the scopes' names. All references in one envelope are of one scope.
"""

_WHO = ("writer", "seq", "ts", "flow_id", "session_id", "principal", "subject", "groups")
_REF = '{"scope":"VARCHAR","enc":"VARCHAR","blocks":"VARCHAR"}'


def _who(alias: str) -> str:
    return ", ".join(f'{alias}."{name}" AS "{name}"' for name in _WHO)


def _scope(*refs: str) -> str:
    return "coalesce(" + ", ".join(f'{ref}."scope"' for ref in refs) + ")"


def _content(scope: str) -> str:
    """All text of the scope in column `scope`, with the numbers, sizes and kinds of its blocks."""
    return f"""(SELECT struct_pack(
            text := encode(string_agg(c.text, '' ORDER BY c."no")),
            numbers := list(c."no" ORDER BY c."no"),
            sizes := list(strlen(c.text) ORDER BY c."no"),
            b64 := list(c.b64 ORDER BY c."no"))
        FROM _content c WHERE c."scope" = {scope} AND c."no" IS NOT NULL)"""


def _text(ref: str, content: str) -> str:
    """The text behind a reference: as it is if UTF-8, else in base64; NULL if it is gone."""
    upto = "CAST(coalesce(list_sum({0}.sizes[:{1}]), 0) AS BIGINT)"
    first, last = "CAST(split_part(x, '-', 1) AS BIGINT)", "CAST(split_part(x, '-', -1) AS BIGINT)"
    # Numbers ascend, and some may be gone: so a run is there if both its ends are, as far from each
    # other as their numbers are.
    place = "list_position({0}.numbers, {1})"
    begin, end = place.format(content, first), place.format(content, last)
    runs = f"list_filter(string_split({ref}.blocks, ','), x -> x <> '')"
    run = f"""array_slice({content}.text, {upto.format(content, f"{begin} - 1")} + 1,
        {upto.format(content, end)})"""
    one = f"""array_slice({content}.text, {upto.format(content, "i - 1")} + 1,
        {upto.format(content, "i")})"""
    there = f"""coalesce(list_bool_and(list_transform({runs},
        x -> coalesce({end} - {begin} = {last} - {first}, false))), true)"""
    return f"""CASE WHEN NOT {there} THEN NULL
        WHEN {ref}.enc = 'utf8' THEN
            array_to_string(list_transform({runs}, x -> decode({run})), '')
        WHEN {ref}.enc = 'base64' THEN base64(list_reduce(list_transform(
            flatten(list_transform({runs}, x -> range({begin}, {end} + 1))),
            i -> CASE WHEN {content}.b64[i] THEN from_base64(decode({one})) ELSE {one} END),
            (a, b) -> a || b)) END"""


def views() -> dict[str, str]:
    """Name and SELECT of each view of the contract."""
    return {
        "flows": _FLOWS,
        "sessions": _SESSIONS,
        "turns": _turns(),
        "tool_calls": _tool_calls(),
        "statements": _statements(),
        "messages": _messages(),
        "findings": _FINDINGS,
        "decisions": _DECISIONS,
        "approvals": _APPROVALS,
        "events": _EVENTS,
    }


_FLOWS = f"""SELECT {_who("f")}, listener, protocol, method, scheme, host, port, path, status,
    request_bytes, response_bytes, started_at, ended_at, verdict, rule_id, reason, error,
    record, coverage, correlated_by FROM _flows f WHERE kind NOT IN ('statement', 'message')"""


_CALL = '[{"id":"VARCHAR","source":"VARCHAR","verdict":"VARCHAR"}]'


def _ids(over: str) -> str:
    """Ids of a session's tool calls that came by over MCP, or of those that the model made."""
    which = f"(c.source = 'mcp') IS {'TRUE' if over == 'mcp' else 'NOT TRUE'}"
    return f"list_transform(list_filter(calls, c -> {which}), c -> c.id)"


def _judged(verdict: str) -> str:
    """What the rules said of the model's own calls; that of a call over MCP is its flow's."""
    return f"""len(list_filter(calls,
        c -> (c.source = 'mcp') IS NOT TRUE AND coalesce(c.verdict = '{verdict}', false)))"""


# A call that the model made and that came by over MCP, too, counts once. What else comes by under
# the same id counts for itself, so that nothing hides behind an id that the client asserts.
_SESSIONS = f"""SELECT writer, seq, ts, flow_id, session_id, principal, subject, "groups", client,
    started_at, ended_at, flows, turns,
    CAST(len(calls) - len(list_intersect({_ids("llm")}, {_ids("mcp")})) AS BIGINT) AS tool_calls,
    statements, CAST(held + {_judged("hold")} AS BIGINT) AS held,
    CAST(denied + {_judged("deny")} AS BIGINT) AS denied, findings, input_tokens, output_tokens
    FROM (SELECT arg_max(writer, ts) AS writer, arg_max(seq, ts) AS seq, max(ts) AS ts,
        arg_max(flow_id, ts) AS flow_id, session_id, principal, any_value(subject) AS subject,
        arg_max("groups", ts) AS "groups", arg_max(client, ts) AS client,
        coalesce(session_started, min(started_at)) AS started_at,
        max(coalesce(ended_at, ts)) AS ended_at,
        count(*) FILTER (kind NOT IN ('statement', 'message')) AS flows, count(turn) AS turns,
        coalesce(flatten(list(from_json(tools, '{_CALL}')) FILTER (tools <> '[]')), []) AS calls,
        count(*) FILTER (kind = 'statement') AS statements,
        count(*) FILTER (verdict = 'hold') AS held, count(*) FILTER (verdict = 'deny') AS denied,
        CAST(sum(coalesce(json_array_length(findings), 0)) AS BIGINT) AS findings,
        CAST(sum(turn.input_tokens) AS BIGINT) AS input_tokens,
        CAST(sum(turn.output_tokens) AS BIGINT) AS output_tokens
        FROM _flows WHERE session_id IS NOT NULL
        GROUP BY principal, session_id, session_started)"""

_EVENTS = f"""SELECT {_who("e")}, event_kind AS kind, detail
    FROM _records e WHERE kind = 'event'"""

_DECISIONS = f"""SELECT {_who("d")}, d.d.action_kind AS action_kind,
    d.d.action_digest AS action_digest, d.d.verdict AS verdict, d.d.rule_id AS rule_id,
    d.d.reason AS reason, policy_version, d.d.mode AS mode
    FROM (SELECT *, unnest(from_json(decisions, '[{{"action_kind":"VARCHAR",
        "action_digest":"VARCHAR","verdict":"VARCHAR","rule_id":"VARCHAR","reason":"VARCHAR",
        "mode":"VARCHAR"}}]')) AS d FROM _records WHERE decisions IS NOT NULL) d
    UNION ALL
    SELECT {_who("d")}, d.d.action_kind, d.d.action_digest, d.o.verdict, d.o.rule_id, d.o.reason,
    policy_version, 'observe'
    FROM (SELECT *, unnest(d.observed) AS o FROM (SELECT *, unnest(from_json(decisions,
        '[{{"action_kind":"VARCHAR","action_digest":"VARCHAR","observed":[{{"verdict":"VARCHAR",
        "rule_id":"VARCHAR","reason":"VARCHAR"}}]}}]')) AS d
        FROM _records WHERE decisions IS NOT NULL)) d"""

_FINDING = """{"direction":"VARCHAR","location":"VARCHAR","entity_type":"VARCHAR",
    "detector":"VARCHAR","action":"VARCHAR","digest":"VARCHAR"}"""
_FINDINGS = f"""SELECT {_who("f")}, f.f.direction AS direction, f.f.location AS location,
    f.f.entity_type AS entity_type, f.f.detector AS detector, f.f.action AS action,
    f.f.digest AS digest FROM (
        SELECT {_who("e")}, unnest(from_json(findings, '[{_FINDING}]')) AS f
        FROM _flows e WHERE findings <> '[]'
        UNION ALL
        SELECT {_who("e")}, unnest(from_json(findings, '[{_FINDING}]')) AS f
        FROM _records e WHERE kind = 'statement.end' AND findings <> '[]'
        UNION ALL
        SELECT {_who("e")}, from_json(raw, '{_FINDING}') AS f
        FROM _records e WHERE kind = 'finding') f"""

_APPROVALS = f"""SELECT {_who("a")}, a.a.approval_id AS approval_id,
    a.a.action_digest AS action_digest, a.a.state AS state, a.rule_id AS rule_id,
    a.a."by" AS "by", a.reason AS reason, a.a.expires_at AS expires_at
    FROM (SELECT *, from_json(raw, '{{"approval_id":"VARCHAR","action_digest":"VARCHAR",
        "state":"VARCHAR","by":"VARCHAR","expires_at":"TIMESTAMP"}}') AS a
        FROM _records WHERE kind = 'approval') a"""


def _turns() -> str:
    texts = ", ".join(
        f"{_text(ref, 'f.s')} AS {name}"
        for ref, name in (
            ("f.turn.prompt", "prompt"),
            ("f.turn.output", "output"),
            ("f.request", "request_body"),
            ("f.response", "response_body"),
        )
    )
    return f"""SELECT {_who("f")}, turn.model AS model, turn.stop_reason AS stop_reason,
        turn.input_tokens AS input_tokens, turn.output_tokens AS output_tokens,
        turn.cache_read_tokens AS cache_read_tokens,
        turn.cache_write_tokens AS cache_write_tokens, {texts}
        FROM (SELECT *, {_content("k.sc")} AS s FROM (
            SELECT *, {_scope("request", "response", "turn.prompt", "turn.output")} AS sc
            FROM _flows WHERE turn IS NOT NULL) k) f"""


def _messages() -> str:
    shape = """'{"n":"BIGINT","direction":"VARCHAR","type":"VARCHAR","bytes":"BIGINT",
        "approval_id":"VARCHAR"}'"""
    return f"""SELECT {_who("f")}, f.q.n AS n, f.q.direction AS direction, f.q."type" AS "type",
        f.q.bytes AS bytes, {_text("f.ref", "f.s")} AS content, verdict, rule_id, error,
        f.q.approval_id AS approval_id
        FROM (SELECT *, {_content("k.sc")} AS s FROM (
            SELECT *, {_scope("ref")} AS sc FROM (
                SELECT {_who("r")}, verdict, rule_id, error, coalesce(request, response) AS ref,
                    from_json(raw, {shape}) AS q
                FROM _records r WHERE kind = 'message')) k) f"""


def _tool_calls() -> str:
    shape = f'[{{"tool_use_id":"VARCHAR","content":{_REF},"is_error":"BOOLEAN"}}]'

    def results(session: str) -> str:
        # The first answer counts: a client sends it again with every later turn. It stands in the
        # request that brings it; what stands in the end of what was let through came over MCP.
        return f"""(SELECT principal, session_id, r.tool_use_id AS tool_use_id,
            arg_min(r.content, seq) AS content, arg_min(r.is_error, seq) AS is_error
            FROM (SELECT principal, session_id, seq, unnest(from_json(results, '{shape}')) AS r
                FROM _records WHERE results <> '[]' AND session_id {session}
                AND (kind = 'flow.begin' OR begin_seq IS NULL))
            GROUP BY ALL)"""

    def either(member: str) -> str:
        return f"""CASE WHEN c.t.source = 'mcp' THEN c.own.{member}
            ELSE coalesce(a.{member}, b.{member}) END AS {member}"""

    # Two joins: a session named in a query narrows the one, and has no rows in the other.
    return f"""SELECT {_who("f")}, tool_use_id, f.t.source AS source, f.t.name AS name,
        {_text("f.t.input", "f.s")} AS input, coalesce(f.t.verdict, 'allow') AS verdict,
        f.t.rule_id AS rule_id, {_text("f.content", "f.rs")} AS result, is_error,
        f.t.approval_id AS approval_id
        FROM (SELECT *, {_content("k.sc")} AS s, {_content("k.rsc")} AS rs FROM (
            SELECT *, {_scope("t.input")} AS sc, {_scope("content")} AS rsc FROM (
                SELECT c.*, {either("content")}, {either("is_error")}
                FROM (SELECT *, t.id AS tool_use_id,
                    list_filter(from_json(results, '{shape}'), r -> r.tool_use_id = t.id)[1] AS own
                    FROM (SELECT *, unnest(from_json(tools, '[{{"id":"VARCHAR","source":"VARCHAR",
                        "name":"VARCHAR","input":{_REF},"verdict":"VARCHAR",
                        "rule_id":"VARCHAR","approval_id":"VARCHAR"}}]')) AS t
                    FROM _flows WHERE tools <> '[]')) c
                LEFT JOIN {results("IS NOT NULL")} a ON a.session_id = c.session_id
                    AND a.principal = c.principal AND a.tool_use_id = c.tool_use_id
                LEFT JOIN {results("IS NULL")} b ON c.session_id IS NULL
                    AND b.principal = c.principal AND b.tool_use_id = c.tool_use_id)) k) f"""


def _statements() -> str:
    # How it ended stands beside it; of one that was not let through there is nothing to end.
    either = ", ".join(
        f'coalesce(e.{name}, f.{name}) AS "{name}"'
        for name in ("rows", "masked_columns", "duration_ms", "error", "response")
    )
    shape = f"""'{{"sql":{_REF},"parameters":{_REF},"fingerprint":"VARCHAR","verbs":["VARCHAR"],
        "tables":["VARCHAR"],"rows":"BIGINT","masked_columns":["VARCHAR"],"duration_ms":"DOUBLE",
        "error":"VARCHAR","response":{_REF},"approval_id":"VARCHAR"}}'"""
    members = ", ".join(
        f'q."{name}" AS "{name}"'
        for name in (
            "sql",
            "parameters",
            "fingerprint",
            "verbs",
            "tables",
            "rows",
            "masked_columns",
            "duration_ms",
            "error",
            "response",
            "approval_id",
        )
    )
    return f"""SELECT {_who("f")}, {_text("f.sql", "f.s")} AS sql,
        {_text("f.parameters", "f.s")} AS parameters, f.fingerprint AS fingerprint,
        f.verbs AS verbs, f.tables AS tables, f.verdict AS verdict, f.rule_id AS rule_id,
        f."rows" AS "rows", f.masked_columns AS masked_columns, f.duration_ms AS duration_ms,
        f.error AS error, {_text("f.response", "f.s")} AS result, f.approval_id AS approval_id
        FROM (SELECT *, {_content("k.sc")} AS s FROM (
            SELECT f.* EXCLUDE ("rows", masked_columns, duration_ms, error, response), {either},
                {_scope("f.sql", "f.parameters", "e.response", "f.response")} AS sc
            FROM (SELECT * EXCLUDE (q), {members} FROM (
                SELECT {_who("r")}, verdict, rule_id, from_json(raw, {shape}) AS q
                FROM _records r WHERE kind = 'statement')) f
            LEFT JOIN (SELECT writer, begin_seq, q."rows" AS "rows",
                q.masked_columns AS masked_columns, q.duration_ms AS duration_ms,
                q.error AS error, q.response AS response
                FROM (SELECT writer, begin_seq, from_json(raw, {shape}) AS q
                    FROM _records WHERE kind = 'statement.end')) e
                ON e.writer = f.writer AND e.begin_seq = f.seq) k) f"""
