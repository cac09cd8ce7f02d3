using Streaming.Models.Layers;
using TorchSharp;

namespace Streaming.Models.Neural;

/// <summary>
/// A network of a user and an item. Features: sparse <c>user</c> and sparse <c>item</c>, each a row in one or more tables, nothing else.
/// </summary>
public interface IPairNetwork
{
    /// <summary>Tables of one row a user, each of shape [users, columns].</summary>
    IReadOnlyList<DenseParameter> UserTables { get; }

    /// <summary>Tables of one row an item, each of shape [items, columns].</summary>
    IReadOnlyList<DenseParameter> ItemTables { get; }

    /// <summary>All other weights.</summary>
    IReadOnlyList<DenseParameter> Dense { get; }

    /// <summary>The log-odds that the user wants the item, shape [B].</summary>
    /// <param name="users">For each of <see cref="UserTables"/> the rows of the batch, shape [B, columns].</param>
    /// <param name="items">The same of <see cref="ItemTables"/>.</param>
    torch.Tensor Logits(torch.Tensor[] users, torch.Tensor[] items);
}

/// <summary>What the networks share.</summary>
public static class PairNetwork
{
    /// <summary>Every weight, in a fixed order: users' tables, items', dense.</summary>
    public static IReadOnlyList<DenseParameter> Parameters(this IPairNetwork network) => [.. network.UserTables, .. network.ItemTables, .. network.Dense];

    /// <summary>A table with first values uniform around 0.</summary>
    /// <param name="deviation">Their standard deviation.</param>
    public static DenseParameter Table(string name, int rows, int columns, ulong seed, double deviation) =>
        new(name, DenseParameter.Uniform(name, seed, rows * columns, deviation * Math.Sqrt(3)), rows, columns);

    /// <summary>
    /// The log-odds of pairs, shape [B]: the parameters have begun a pass.
    /// </summary>
    /// <param name="users">Shape [B], rows of the users' tables.</param>
    /// <param name="items">Shape [B], rows of the items' tables.</param>
    public static torch.Tensor Pairs(this IPairNetwork network, torch.Tensor users, torch.Tensor items) =>
        network.Logits(Rows(network.UserTables, users), Rows(network.ItemTables, items));

    /// <summary>Of each table the rows that the numbers name.</summary>
    public static torch.Tensor[] Rows(IReadOnlyList<DenseParameter> tables, torch.Tensor numbers) =>
        [.. tables.Select(table => table.Leaf.index_select(0, numbers))];
}
