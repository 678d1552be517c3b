using Recall.Numerics;

namespace Recall.Tests.Numerics;

public class SingularValuesTests
{
    [Fact]
    public void TheConditionNumberIsThatOfTheSingularValues()
    {
        // Rows r0 = 3 u, r1 = 4 v turned by 30° among themselves: the singular values stay 3 and 4.
        double cosine = Math.Cos(Math.PI / 6), sine = Math.Sin(Math.PI / 6);
        float[] rows = [(float)(3 * cosine), 0, (float)(4 * sine), (float)(-3 * sine), 0, (float)(4 * cosine)];
        Assert.Equal(4.0 / 3, SingularValues.ConditionNumber(rows, 2), 1e-6);
        Assert.Equal(1, SingularValues.ConditionNumber([5, 0, 0], 1), 1e-12);
        // [[1, 1], [1, 2]] has the eigenvalues (3 ± √5) / 2.
        Assert.Equal((3 + Math.Sqrt(5)) / (3 - Math.Sqrt(5)), SingularValues.ConditionNumber([1, 1, 1, 2], 2), 1e-9);
    }

    [Fact]
    public void RowsThatDependOnEachOtherHaveNone()
    {
        Assert.Equal(double.PositiveInfinity, SingularValues.ConditionNumber([1, 2, 3, 1, 2, 3], 2));
        Assert.Equal(double.PositiveInfinity, SingularValues.ConditionNumber([1, 2, 3, 0, 0, 0], 2));
        Assert.Equal(double.PositiveInfinity, SingularValues.ConditionNumber([0, 0, 0, 0], 2));
    }
}
