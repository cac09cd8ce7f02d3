using Streaming.Core.Items;
using Streaming.Models.Deep;
using Streaming.Suites;

namespace Streaming.Models.Tests.Deep;

public sealed class DinSuiteTests : DeepModelSuite
{
    protected override IDeepModel Create(long seed) => new Din(
        new DinOptions { Dim = 4, UnitColumns = 8, HiddenColumns = [16, 8], HistoryMax = HistoryMax, Rate = 5e-3f, TableRate = 1e-2f, Seed = (ulong)seed },
        new ItemCatalog());
}
