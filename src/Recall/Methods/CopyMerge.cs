namespace Recall.Methods;

/// <summary>The values of one input as they are: what methods give for a tensor that one model alone has.</summary>
sealed class CopyMerge(int input) : TensorMerge
{
    public override void Apply(in Strip strip, Span<float> output) => strip[input].CopyTo(output);
}
