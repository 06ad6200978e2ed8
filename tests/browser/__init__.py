"""The status page in a real browser. Skipped where Debian's `chromium` and `chromium-driver` are not installed."""
