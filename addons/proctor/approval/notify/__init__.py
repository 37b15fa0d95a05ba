"""Who is told of what humans are asked: Slack, Teams, Jira, or anybody who takes a webhook."""
