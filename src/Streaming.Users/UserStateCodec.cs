namespace Streaming.Users;

/// <summary>placeholder, written next</summary>
public static class UserStateCodec;
