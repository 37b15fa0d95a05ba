"""rules/mcp.yaml: what passes between clients and MCP servers, and what waits for a person."""

from pathlib import Path

import pytest

from proctor.model import ActionKind, McpFields, Verdict, verdict_name
from proctor.policy.engine import load_policy
from proctor.policy.features import Features
from proctor.policy.review import review
from tests.support.cases import case

SHIPPED = Path(__file__).parents[2] / "rules"
POLICY = load_policy(SHIPPED, features=Features(listeners=frozenset({"claude"})))


def asked(method: str, tool: str = "") -> Verdict:
    mcp = McpFields(server="jira", method=method, tool=tool)
    return POLICY.decide(case(ActionKind.MCP_CALL, mcp=mcp)).verdict


@pytest.mark.parametrize(
    "method",
    [
        *("initialize", "notifications/initialized", "notifications/cancelled", "ping"),
        *("server/discover", "subscriptions/listen", "logging/setLevel", "completion/complete"),
        *("tools/list", "prompts/list", "resources/list", "resources/templates/list"),
        *("prompts/get", "resources/read", "resources/subscribe", "response", "tasks/get"),
        *("GET", "DELETE"),
    ],
)
def test_the_conversation_flows(method: str) -> None:
    assert verdict_name(asked(method)) == "allow"


@pytest.mark.parametrize("method", ["", "tools/calls", "TOOLS/CALL", "x/notifications/y", "eval"])
def test_what_nobody_knows_is_denied(method: str) -> None:
    verdict = asked(method)
    assert (verdict_name(verdict), verdict.rule_id) == ("deny", "default")


def test_what_servers_ask_for() -> None:
    assert asked("sampling/createMessage").rule_id == "mcp-sampling"
    assert verdict_name(asked("sampling/createMessage")) == "deny"
    assert verdict_name(asked("elicitation/create")) == "hold"
    assert verdict_name(asked("roots/list")) == "allow"


# Names of tools of well-known servers: files, git, trackers, wikis, mail, browsers, documentation.
@pytest.mark.parametrize(
    "tool",
    [
        *("get_issue", "list_issues", "search_code", "get_file_contents", "list_commits"),
        *("get_commit", "get_pull_request_files", "get_me", "search_repositories"),
        *("read_file", "read_multiple_files", "list_directory", "search_files", "get_file_info"),
        *("git_status", "git_log", "git_diff", "git_show"),
        *("getJiraIssue", "searchJiraIssuesUsingJql", "getConfluencePage"),
        *("jira_get_issue", "confluence_search", "jira_list_projects", "slack_list_channels"),
        *("notion-search", "notion-fetch", "drive_search"),
        *("resolve-library-id", "get-library-docs", "fetch", "search", "find_references"),
        *("describe_table", "list_tables", "count_rows", "get_workflow_run"),
        *("list_new_items", "get_send_status", "check_status", "read_graph", "log", "pods_log"),
        *("pull_request_read", "issue_dependency_read", "issue_read", "actions_list"),
        *("query-docs", "query_docs", "query_metrics", "query_prometheus", "query_loki_logs"),
        *("microsoft_docs_search", "microsoft_docs_fetch", "aws___read_documentation"),
    ],
)
def test_tools_that_read_run_at_once(tool: str) -> None:
    assert verdict_name(asked("tools/call", tool)) == "allow"


@pytest.mark.parametrize(
    "tool",
    [
        *("create_issue", "update_issue", "delete_file", "push_files", "merge_pull_request"),
        *("write_file", "edit_file", "move_file", "create_directory", "git_commit", "git_reset"),
        *("createJiraIssue", "editJiraIssue", "addCommentToJiraIssue", "slack_post_message"),
        *("create_list", "trello_create_list", "update_list", "set_status", "clear_history"),
        *("get_or_create_user", "search_and_replace", "find-then-delete", "getAndDeleteUser"),
        *("execute_sql", "query", "run_query", "browser_click", "browser_evaluate", "send_mail"),
        *("query_database", "query_sql", "mysql_query", "query-", "query_docs_update", "queryDocs"),
        *("mark_as_read", "mark_read", "email_mark_as_read", "notifications_mark_all_read"),
        *("set_all_read", "enable_public_read", "message_set_read", "a_b_c_d_e_read"),
        *("resolve_review_thread", "onboarding_status_update", "status_set"),
        *("log_work", "log_time", "check_in", "check_out_file", "checkIn", "statusUpdate"),
        *("search_replace", "searchReplace", "find_replace_in_files", "grant_bucket_read"),
        *("enable_semantic_search", "rebuild_site_search", "wipe_list", "toggle_read"),
        *(
            "CREATE_LIST",
            "Delete_get",
            "GetPage",
            "getter",
            "listen",
            "readdress",
            "showdown",
            "x",
            "delete_get",
            "deleteGet",
            "Über_get",
        ),
        *("get ", " get", "a_b_c_get", "get\nx", "purge.list", "drop/find", "trello_add_list"),
    ],
)
def test_all_others_wait(tool: str) -> None:
    verdict = asked("tools/call", tool)
    assert (verdict_name(verdict), verdict.rule_id) == ("hold", "mcp-tools-that-write")


def test_every_tool_is_on_the_list() -> None:
    for tool in ("get_issue", "create_issue"):
        mcp = McpFields(server="jira", method="tools/call", tool=tool)
        assert POLICY.may(case(ActionKind.MCP_CALL, mcp=mcp))


def test_they_matter() -> None:
    assert review(POLICY.rules, [ActionKind.MCP_CALL]) == []
