"""Where captured messages go: implementations of `IMessageRouter`."""
