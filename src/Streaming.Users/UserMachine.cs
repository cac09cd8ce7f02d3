namespace Streaming.Users;

/// <summary>placeholder, written next</summary>
public sealed class UserMachine;
