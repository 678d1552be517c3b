namespace Recall.Checkpoints;

/// <summary>The layer to which a tensor belongs, read from its name alone: works for families that Recall does not know.</summary>
public static class LayerNumber
{
    /// <summary>The first part of a dotted name that is a number: 3 in <c>model.layers.3.mlp.experts.5.up_proj.weight</c>; null where there is none.</summary>
    public static int? Of(string tensorName)
    {
        foreach (var part in tensorName.AsSpan().Split('.'))
        {
            var text = tensorName.AsSpan(part);
            if (text.Length is > 0 and < 7 && !text.ContainsAnyExceptInRange('0', '9')) return int.Parse(text);
        }
        return null;
    }
}
