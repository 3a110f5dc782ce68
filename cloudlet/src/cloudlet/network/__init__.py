"""All outgoing requests: files from remote hosts and notifications, and the allow-list for both."""
