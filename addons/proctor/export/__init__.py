"""The record for others: NDJSON, Parquet, HAR, mitmproxy's flows and OpenTelemetry spans."""
