namespace Recall.Tests.Representations;

/// <summary>Tests that compute with torch do so on one thread each: the models are tiny, and the classes run side by side.</summary>
public abstract class TorchTests
{
    static TorchTests() => TorchSharp.torch.set_num_threads(1);
}
