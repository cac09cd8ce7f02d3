namespace TorchSharp;

public static partial class torch
{
    /// <summary>Opens a scope of this thread: tensors made until it is disposed are disposed with it.</summary>
    public static DisposeScope NewDisposeScope() => new();
}

/// <summary>
/// Owns the tensors made in it, on its thread. What has to outlive it is moved to the outer scope or detached from all.
/// </summary>
public sealed class DisposeScope : IDisposable
{
    [ThreadStatic]
    private static DisposeScope? _current;

    private readonly DisposeScope? _outer;
    private readonly HashSet<IDisposable> _owned = new(ReferenceEqualityComparer.Instance);

    internal DisposeScope()
    {
        _outer = _current;
        _current = this;
    }

    public int DisposablesCount => _owned.Count;

    /// <summary>Hands over to the outer scope; without one, to the caller.</summary>
    public T MoveToOuter<T>(T disposable)
        where T : IDisposable
    {
        if (_owned.Remove(disposable)) Adopt(_outer, disposable);
        return disposable;
    }

    /// <summary>Hands over to the caller.</summary>
    public T Detach<T>(T disposable)
        where T : IDisposable
    {
        if (_owned.Remove(disposable)) Adopt(null, disposable);
        return disposable;
    }

    public void Dispose()
    {
        // Also the scopes inside it that were left open.
        for (var scope = _current; scope is not null; scope = scope._outer)
        {
            if (scope != this) continue;
            _current = _outer;
            break;
        }
        foreach (var disposable in _owned.ToArray()) disposable.Dispose();
        _owned.Clear();
    }

    /// <summary>Takes a new tensor into this thread's innermost scope.</summary>
    internal static DisposeScope? Register(torch.Tensor tensor)
    {
        _current?._owned.Add(tensor);
        return _current;
    }

    internal void Forget(torch.Tensor tensor) => _owned.Remove(tensor);

    private static void Adopt(DisposeScope? scope, IDisposable disposable)
    {
        scope?._owned.Add(disposable);
        if (disposable is torch.Tensor tensor) tensor.OwningScope = scope;
    }
}
