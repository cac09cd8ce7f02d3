#if USE_AKKA
using Akka.Actor;
using Akka.Serialization;
using Streaming.Core.Wire;

namespace Streaming.Akka;

/// <summary>Akka's way to <see cref="ShardMessageCodec"/>; named by <c>hocon/reference.conf</c>.</summary>
public sealed class ShardMessageSerializer(ExtendedActorSystem system) : Serializer(system)
{
    public override bool IncludeManifest => false;

    public override byte[] ToBinary(object obj)
    {
        var into = new ByteWriter(1024);
        ShardMessageCodec.Write((IShardMessage)obj, into);
        return into.WrittenSpan.ToArray();
    }

    public override object FromBinary(byte[] bytes, Type type) => ShardMessageCodec.Read(bytes);
}
#endif
