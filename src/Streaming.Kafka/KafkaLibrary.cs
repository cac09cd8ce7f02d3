using System.Reflection;
using System.Runtime.InteropServices;
using Confluent.Kafka;
using Streaming.Core.Log;

namespace Streaming.Kafka;

/// <summary>
/// Finds librdkafka once per process: the one bundled with the build where there is one (package librdkafka.redist), else the
/// system's. Everything native in this room goes through <see cref="EnsureLoaded"/> first.
/// </summary>
public static class KafkaLibrary
{
    internal const string Name = "librdkafka";

    // Tried in this order after the bundled name, which wants the SASL library that a small system lacks: the bundled build without
    // it, Debian and other Linux, Alpine's bundled build, Homebrew on Apple silicon and Intel.
    private static readonly string[] OtherNames =
    [
        "centos8-librdkafka", "librdkafka.so.1", "alpine-librdkafka", "librdkafka.1.dylib",
        "/opt/homebrew/lib/librdkafka.1.dylib", "/usr/local/lib/librdkafka.1.dylib",
    ];

    private static readonly Lazy<string?> LoadProblem = new(LoadOnce);

    /// <summary>Why Kafka cannot be used here and what to install, or null when it can.</summary>
    public static string? Problem => LoadProblem.Value;

    /// <summary>librdkafka's version, for example "2.0.2".</summary>
    /// <exception cref="EventLogException">librdkafka is not there.</exception>
    public static string Version
    {
        get
        {
            EnsureLoaded();
            return Library.VersionString;
        }
    }

    /// <exception cref="EventLogException">librdkafka is not there; the message says what to install.</exception>
    public static void EnsureLoaded()
    {
        if (Problem is { } problem) throw new EventLogException(problem);
    }

    /// <summary>What to tell a user whose machine lacks the library.</summary>
    internal static string HowToInstall(string why) =>
        $"Kafka needs the native library librdkafka (1.6 or newer), which could not be loaded: {why.TrimEnd('.')}. Install it: " +
        "'apt-get install librdkafka1' (Debian, Ubuntu), 'dnf install librdkafka' (Fedora), 'apk add librdkafka' (Alpine), " +
        "'brew install librdkafka' (macOS); or use the embedded log (Log:Kind=embedded), which needs nothing.";

    /// <summary>Opens the first library of <paramref name="names"/> that is there; 0 when none is.</summary>
    internal static nint Open(IEnumerable<string> names, Assembly assembly, DllImportSearchPath? path)
    {
        foreach (var name in names)
            if (NativeLibrary.TryLoad(name, assembly, path, out var handle)) return handle;
        return 0;
    }

    private static string? LoadOnce()
    {
        NativeLibrary.SetDllImportResolver(typeof(Library).Assembly, Resolve);
        NativeLibrary.SetDllImportResolver(typeof(KafkaLibrary).Assembly, Resolve);
        try
        {
            if (Resolve(Name, typeof(KafkaLibrary).Assembly, null) == 0) return HowToInstall("it is not on the library path");
            Library.Load();
            return null;
        }
        catch (Exception e) when (e is DllNotFoundException or FileLoadException or InvalidOperationException or EntryPointNotFoundException)
        {
            return HowToInstall(e.Message);
        }
    }

    /// <summary>
    /// glibc 2.34 dropped the libdl.so that Confluent.Kafka asks for (only libdl.so.2 is left), and Debian ships librdkafka
    /// without the unversioned name, which only its -dev package has. 0 hands the name back to the runtime's own search.
    /// </summary>
    private static nint Resolve(string name, Assembly assembly, DllImportSearchPath? path) => name switch
    {
        "libdl" => Open(["libdl.so.2", "libdl"], assembly, path),
        Name => Open([Name, .. OtherNames], assembly, path),
        _ => 0,
    };
}
