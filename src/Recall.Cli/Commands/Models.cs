using Recall.Checkpoints;
using Recall.Configuration;

namespace Recall.Cli.Commands;

/// <summary>The models that a command line names.</summary>
static class Models
{
    /// <summary>Opens a model by its headers; an adapter is applied while its tensors are read.</summary>
    public static Checkpoint Open(ModelReference reference) => Checkpoint.Open(reference.Model.Path);
}
