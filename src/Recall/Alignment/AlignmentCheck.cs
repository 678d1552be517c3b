using Recall.Checkpoints;
using Recall.Representations;

namespace Recall.Alignment;

/// <summary>Everything that can be wrong with experts, texts and cards, before a weight is read.</summary>
sealed class AlignmentCheck(Checkpoint baseModel, BlockOptions options, AlignmentOptions alignment)
{
    /// <summary>Looks at all.</summary>
    /// <exception cref="RecallException">What is wrong, with the expert's name.</exception>
    public void Check(IReadOnlyList<AlignmentExpert> experts)
    {
        if (experts.Count == 0) throw new RecallException("there is no expert to merge");
        if (alignment.Kind == AlignmentKind.Distil && alignment.OffDiagonal != 1)
            throw new RecallException("off_diagonal has a meaning for align and RegMean only; distil takes second moments as they are");
        if (alignment.Kind == AlignmentKind.Distil && experts.All(expert => expert.Texts.Count == 0))
            throw new RecallException("distil needs the texts of at least one expert: give 'samples', or combine by align, which needs "
                + "cards only");
        foreach (var expert in experts)
        {
            CheckSizes(expert);
            if (expert.Texts.Count > 0) CheckTexts(expert);
            else CheckCard(expert);
        }
    }

    void CheckSizes(AlignmentExpert expert)
    {
        var own = BlockOptions.Read(expert.Checkpoint);
        if (own.Layers != options.Layers || own.HiddenSize != options.HiddenSize)
        {
            throw new RecallException($"{expert.Name}: has {own.Layers} layers of hidden size {own.HiddenSize}, the base "
                + $"{baseModel.Path} has "
                + $"{options.Layers} of {options.HiddenSize}: it is an expert of another base");
        }
        var different = own.DifferenceFrom(options);
        if (different.Name is not null)
            throw new RecallException($"{expert.Name}: {different.Name} has shape {different.Shape} in it or in the base "
                + $"{baseModel.Path}, not in both: it is an expert of another base");
        if (own.TiedEmbeddings != options.TiedEmbeddings || own.VocabularySize != options.VocabularySize)
        {
            throw new RecallException($"{expert.Name}: its head and embedding ({own.VocabularySize} tokens, "
                + $"{(own.TiedEmbeddings ? "tied" : "not tied")}) are not those "
                + $"of the base {baseModel.Path} ({options.VocabularySize} tokens, {(options.TiedEmbeddings ? "tied" : "not tied")})");
        }
        foreach (var (name, shape) in Enumerable.Range(0, options.Layers).SelectMany(layer =>
            options.LayerTensors(layer).Select(tensor => (options.NameOf(layer, tensor.Name), tensor.Shape))))
        {
            baseModel.Require(name, shape);
            expert.Checkpoint.Require(name, shape);
        }
    }

    void CheckTexts(AlignmentExpert expert)
    {
        for (int i = 0; i < expert.Texts.Count; i++)
        {
            var text = expert.Texts[i];
            string where = $"{expert.Name}: text {i + 1} of its samples";
            if (text.Ids.Length == 0) throw new RecallException($"{where} is empty: it has no tokens");
            if (text.Answer < 1 || text.Answer > text.Ids.Length)
                throw new RecallException($"{where}: 'answer' is {text.Answer}; the index of the answer's first token lies between 1 and "
                    + $"{text.Ids.Length - 1}");
            int bad = Array.FindIndex(text.Ids, id => id < 0 || id >= options.VocabularySize);
            if (bad >= 0)
                throw new RecallException($"{where} has the token id {text.Ids[bad]}; the model's vocabulary has "
                    + $"{options.VocabularySize}: is the tokenizer that of this model?");
        }
    }

    void CheckCard(AlignmentExpert expert)
    {
        if (expert.Card is not { } card)
        {
            throw new RecallException($"{expert.Name}: has neither samples nor a card; give it 'samples: FILE' under 'models', or make a "
                + $"card where its texts are: "
                + $"recall card {expert.Name} --samples FILE --out card.safetensors");
        }
        if (alignment.IsRegMean) throw new RecallException($"{expert.Name}: RegMean needs its texts; a card serves align and distil");
        if (!card.Inputs.SequenceEqual(LayerStep.InputsOf(options)))
        {
            throw new RecallException($"{card.Path}: is the card of another model: it has {card.Inputs.Count} layer inputs, the first of "
                + $"size "
                + $"{(card.Inputs.Count > 0 ? card.Inputs[0].Size : 0)}; {expert.Name} has {LayerStep.InputsOf(options).Count()}, the "
                    + $"first of size {options.HiddenSize}");
        }
        if (card.Answers != alignment.Answers)
            throw new RecallException($"{card.Path}: was made with answers {card.Answers:R}, the merge asks for {alignment.Answers:R}; "
                + $"set 'answers: {card.Answers:R}', or make the card anew");
    }
}
