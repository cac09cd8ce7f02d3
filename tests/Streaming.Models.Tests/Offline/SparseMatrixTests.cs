using Streaming.Models.Offline;

namespace Streaming.Models.Tests.Offline;

public sealed class SparseMatrixTests
{
    private static readonly SparseMatrix Users = SparseMatrix.UserItems(
        Few.Rows(3, 4, (0, 3, 5f), (2, 1, 2f), (0, 1, 1f), (0, 3, 4f), (2, 3, 3f), (0, 3, 2f)));

    [Fact]
    public void A_pair_stands_once_with_its_last_value_and_columns_rise()
    {
        Users.Count.ShouldBe(4);
        Users.Row(0).ToArray().ShouldBe([1, 3]);
        Users.RowValues(0).ToArray().ShouldBe([1f, 2f]);
        Users.Row(1).Length.ShouldBe(0);
        Users.RowValues(2).ToArray().ShouldBe([2f, 3f]);
    }

    [Fact]
    public void Its_transpose_has_rows_and_columns_exchanged()
    {
        var items = Users.Transpose();
        (items.RowCount, items.ColumnCount).ShouldBe((4, 3));
        items.Row(0).Length.ShouldBe(0);
        items.Row(1).ToArray().ShouldBe([0, 2]);
        items.RowValues(3).ToArray().ShouldBe([2f, 3f]);
    }

    [Fact]
    public void A_history_is_reduced_to_its_different_items() =>
        SparseMatrix.Distinct([5, 1, 5, 3, 1]).ShouldBe([1, 3, 5]);
}
