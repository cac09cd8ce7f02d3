namespace TorchSharp;

public static partial class torch
{
    /// <summary>Opens a scope of this thread: tensors made until it is disposed are disposed with it.</summary>
    public static DisposeScope NewDisposeScope() => new();

    /// <summary>This thread's innermost open scope, or null.</summary>
    public static DisposeScope? CurrentDisposeScope => DisposeScope.Current;
}

/// <summary>
/// Owns the tensors made in it, on its thread. What has to outlive it is moved to the outer scope or detached from all.
/// A tensor knows its place in the list, so that taking it out needs no search; the native tensors go in one call.
/// </summary>
public sealed unsafe class DisposeScope : IDisposable
{
    [ThreadStatic]
    private static DisposeScope? _current;

    /// <summary>The list of the scope that was closed last, for the next one: a training step opens and closes one each time.</summary>
    [ThreadStatic]
    private static torch.Tensor?[]? _spare;

    private readonly DisposeScope? _outer;
    private torch.Tensor?[] _owned;
    private int _count;

    internal DisposeScope()
    {
        _outer = _current;
        _current = this;
        _owned = _spare ?? new torch.Tensor?[64];
        _spare = null;
    }

    /// <summary>A scope that was never closed, whose thread is gone: its tensors have no finalizer of their own.</summary>
    ~DisposeScope() => FreeAll();

    public int DisposablesCount => _count;

    internal static DisposeScope? Current => _current;

    /// <summary>Hands over to the outer scope; without one, to the caller.</summary>
    public T MoveToOuter<T>(T disposable)
        where T : IDisposable
    {
        if (disposable is torch.Tensor tensor && tensor.OwningScope == this) tensor.MoveTo(_outer);
        return disposable;
    }

    /// <summary>Hands over to another scope; with null, to the caller.</summary>
    public T MoveToOther<T>(DisposeScope? scope, T disposable)
        where T : IDisposable
    {
        if (disposable is torch.Tensor tensor && tensor.OwningScope == this) tensor.MoveTo(scope);
        return disposable;
    }

    /// <summary>Hands over to the caller.</summary>
    public T Detach<T>(T disposable)
        where T : IDisposable
    {
        if (disposable is torch.Tensor tensor && tensor.OwningScope == this) tensor.MoveTo(null);
        return disposable;
    }

    /// <summary>Takes over a tensor from wherever it is.</summary>
    public void Attach(IDisposable disposable)
    {
        if (disposable is torch.Tensor { IsInvalid: false } tensor && tensor.OwningScope != this) tensor.MoveTo(this);
    }

    public bool Contains(IDisposable disposable) => disposable is torch.Tensor tensor && tensor.OwningScope == this;

    /// <summary>Disposes what the scope owns and stays open.</summary>
    public void DisposeEverything() => FreeAll();

    public void Dispose()
    {
        // Also the scopes inside it that were left open.
        for (var scope = _current; scope is not null; scope = scope._outer)
        {
            if (scope != this) continue;
            _current = _outer;
            break;
        }
        FreeAll();
        if (_owned.Length is > 0 and <= 4096) _spare = _owned;
        _owned = [];
        GC.SuppressFinalize(this);
    }

    /// <summary>Takes a tensor into the list and returns its place there.</summary>
    internal int Add(torch.Tensor tensor)
    {
        if (_count == _owned.Length) Array.Resize(ref _owned, Math.Max(64, _count * 2));
        _owned[_count] = tensor;
        return _count++;
    }

    /// <summary>Lets go of the tensor at that place; the last one takes it, so that the list has no holes.</summary>
    internal void Remove(int place)
    {
        var last = _owned[--_count]!;
        _owned[_count] = null;
        if (place == _count) return;
        _owned[place] = last;
        last.Place = place;
    }

    private void FreeAll()
    {
        const int chunk = 128;
        var handles = stackalloc nint[chunk];
        while (_count > 0)
        {
            // From the end, where the newest are: the native side frees each chunk from its end too.
            var size = Math.Min(chunk, _count);
            _count -= size;
            for (var i = 0; i < size; i++)
            {
                handles[i] = _owned[_count + i]!.GiveUpHandle();
                _owned[_count + i] = null;
            }
            Native.st_free_all(handles, size);
        }
    }
}
