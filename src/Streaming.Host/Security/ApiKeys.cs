using System.Buffers;
using System.Security.Cryptography;
using System.Text;
using Streaming.Core.Settings;
using Streaming.Host.Settings;

namespace Streaming.Host.Security;

/// <summary>What a request needs, and what a key may do.</summary>
[Flags]
public enum Scopes
{
    /// <summary>Nothing: for everybody, also where there are keys.</summary>
    Open = 0,

    /// <summary>Sends events and items, and changes profiles.</summary>
    Ingest = 1,

    /// <summary>Asks for lists.</summary>
    Read = 2,

    /// <summary>Sees figures and users' states, deletes users, changes experiments.</summary>
    Admin = 4,

    /// <summary>A page of the address for everybody; it holds no data, so it asks for no key.</summary>
    PublicPage = 8,

    /// <summary>The same, of the operators' address where there is one.</summary>
    AdminPage = 16,
}

/// <summary>A key as it is kept: by its SHA-256. A key has 24 characters at least, so that the hash of one cannot be searched.</summary>
internal sealed record ApiKey(string Name, Scopes Scopes, byte[] Hash, int Index);

/// <summary>
/// The keys of STREAMING_API_KEYS and of <see cref="SecuritySettings.KeysFile"/>, the latter read again when it changes. One entry a line
/// (in the variable also between semicolons): name, scopes (<c>ingest,read,admin</c>), and the key or <c>sha256:</c> and its hash.
/// </summary>
internal sealed class ApiKeys
{
    public const string Variable = "STREAMING_API_KEYS";
    public const int KeyCharsMin = 24;
    private const int KeyCharsMax = 512;
    private const int KeysMax = 1024;

    private readonly WatchedFiles? _file;
    private readonly ApiKey[] _fixed;
    private readonly Action<string> _notice;
    private readonly string _path;
    private volatile ApiKey[] _keys;

    /// <param name="settings">Names the file.</param>
    /// <param name="variable">The variable's value, or null.</param>
    /// <param name="notice">Told of a file that changed and cannot be used: the keys before it stay.</param>
    /// <exception cref="SettingsException">An entry cannot be used; the message names its line and never shows it.</exception>
    public ApiKeys(SecuritySettings settings, string? variable, Action<string> notice)
    {
        _notice = notice;
        _path = settings.KeysFile;
        var problems = new List<string>();
        _fixed = Parse((variable ?? "").Split([';', '\n']), Variable, problems);
        if (_path.Length > 0) _file = new WatchedFiles([_path]);
        try
        {
            _keys = Together(_path.Length > 0 ? Parse(File.ReadAllLines(_path), _path, problems) : [], problems);
        }
        catch (Exception problem) when (problem is IOException or UnauthorizedAccessException)
        {
            throw new SettingsException([$"Security:KeysFile: '{_path}' cannot be read: {problem.Message}"]);
        }
        if (_path.Length > 0 && _keys.Length == 0 && problems.Count == 0) problems.Add($"Security:KeysFile: '{_path}' holds no key");
        if (problems.Count > 0) throw new SettingsException(problems);
        if (_path.Length > 0 && IsReadByOthers(_path)) notice($"the keys file '{_path}' can be read by every user of this machine; chmod 600 it");
    }

    /// <summary>Whether requests need a key.</summary>
    public bool Any => _keys.Length > 0;

    /// <summary>The key's entry, or null. Takes the same time for a wrong key, whatever is wrong with it.</summary>
    public ApiKey? Find(ReadOnlySpan<char> presented)
    {
        if (_file is not null && _file.HasChanged()) Reload();
        if (presented.Length is < KeyCharsMin or > KeyCharsMax) return null;
        Span<byte> utf8 = stackalloc byte[KeyCharsMax * 3];
        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(utf8[..Encoding.UTF8.GetBytes(presented, utf8)], hash);
        CryptographicOperations.ZeroMemory(utf8);
        ApiKey? found = null;
        foreach (var key in _keys)
            if (CryptographicOperations.FixedTimeEquals(key.Hash, hash)) found = key;
        return found;
    }

    private void Reload()
    {
        var problems = new List<string>();
        try
        {
            var keys = Together(Parse(File.ReadAllLines(_path), _path, problems), problems);
            if (keys.Length == 0) problems.Add($"'{_path}' holds no key");
            if (problems.Count == 0)
            {
                _keys = keys;
                _notice($"keys were read again: {string.Join(", ", keys.Select(k => k.Name))}");
                return;
            }
        }
        catch (Exception problem) when (problem is IOException or UnauthorizedAccessException)
        {
            problems.Add(problem.Message);
        }
        _notice($"the keys in '{_path}' have changed and cannot be used, those before stay: {string.Join("; ", problems)}");
    }

    /// <summary>Both sources, numbered; a name stands for one key, so that figures by name say which was used.</summary>
    private ApiKey[] Together(ApiKey[] ofFile, List<string> problems)
    {
        ApiKey[] all = [.. _fixed, .. ofFile];
        if (all.Length > KeysMax) problems.Add($"Security:KeysFile: there are {all.Length} keys; {KeysMax} are allowed");
        foreach (var twice in all.GroupBy(k => k.Name).Where(g => g.Count() > 1)) problems.Add($"Security:KeysFile: two keys are named '{twice.Key}'");
        return [.. all.Select((key, i) => key with { Index = i })];
    }

    private static ApiKey[] Parse(string[] lines, string source, List<string> problems)
    {
        var keys = new List<ApiKey>();
        for (var i = 0; i < lines.Length; i++)
        {
            var line = lines[i].Trim();
            if (line.Length == 0 || line[0] == '#') continue;
            if (Entry(line, out var key) is { } problem) problems.Add($"{source}: line {i + 1}: {problem}");
            else keys.Add(key);
        }
        return [.. keys];
    }

    /// <summary>What is wrong with an entry, never showing it, or null.</summary>
    private static string? Entry(string line, out ApiKey key)
    {
        key = null!;
        var words = line.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries);
        if (words.Length != 3) return "expected three words: name, scopes, key";
        var scopes = Scopes.Open;
        foreach (var word in words[1].Split(','))
        {
            var scope = word switch { "ingest" => Scopes.Ingest, "read" => Scopes.Read, "admin" => Scopes.Admin, _ => Scopes.Open };
            if (scope == Scopes.Open) return "the second word must be of ingest, read and admin, with commas between";
            scopes |= scope;
        }
        var hash = new byte[SHA256.HashSizeInBytes];
        if (words[2].StartsWith("sha256:", StringComparison.Ordinal))
        {
            if (Convert.FromHexString(words[2].AsSpan(7), hash, out _, out var written) != OperationStatus.Done || written != hash.Length || words[2].Length != 7 + 2 * hash.Length)
                return "behind sha256: 64 hexadecimal digits are expected";
        }
        else if (words[2].Length is < KeyCharsMin or > KeyCharsMax) return $"a key has {KeyCharsMin} to {KeyCharsMax} characters; make one with: openssl rand -hex 32";
        else SHA256.HashData(Encoding.UTF8.GetBytes(words[2]), hash);
        key = new ApiKey(words[0], scopes, hash, 0);
        return null;
    }

    private static bool IsReadByOthers(string path) =>
        !OperatingSystem.IsWindows() && (File.GetUnixFileMode(path) & UnixFileMode.OtherRead) != 0;
}
