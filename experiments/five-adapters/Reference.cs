namespace FiveAdapters;

/// <summary>Losses of the base and of each expert on its own task, as golden/evidence/loss.json has them.</summary>
static class Reference
{
    public static readonly IReadOnlyDictionary<string, (double Base, double Expert)> Losses = new Dictionary<string, (double, double)>
    {
        ["sst2"] = (3.2762, 0.3215), ["squad2"] = (2.7772, 0.7285), ["translate_en_fr"] = (3.7425, 1.4587), ["race"] = (4.0635, 1.3681),
            ["medmcqa"] = (4.7793, 1.3883),
    };

    /// <summary>The share of the expert's gain over the base that is kept, in percent.</summary>
    public static double Share(string task, double loss) => 100 * (Losses[task].Base - loss) / (Losses[task].Base - Losses[task].Expert);
}
