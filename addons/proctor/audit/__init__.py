"""What happened: journal, content, segments, views."""
