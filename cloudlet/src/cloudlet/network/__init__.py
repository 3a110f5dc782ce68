"""All outgoing traffic: files from remote hosts, notifications, and the policy for both."""
