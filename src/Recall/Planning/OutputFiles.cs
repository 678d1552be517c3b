using System.Collections.Immutable;
using Recall.Checkpoints;
using Recall.Configuration;
using Recall.Tokenization;

namespace Recall.Planning;

/// <summary>The files beside the output's weights: those of the donor, with the tokenizer and the chat template that the config asks
/// for.</summary>
static class OutputFiles
{
    const string GenerationConfig = "generation_config.json";

    public static ImmutableArray<CheckpointFile> Make(
        MergeConfig config, MergeOptions options, ImmutableArray<OpenedModel> models, OutputVocabulary? vocabulary, List<string> notes)
    {
        var donor = models[0].Checkpoint.Files;
        var tokenizer = vocabulary?.Files ?? (options.CopyTokenizer ? donor : []);
        string? template = Template(config, models);
        if (template is not null && !tokenizer.Any(file => TokenizerFiles.Has(file.Name)))
        {
            notes.Add(config.ChatTemplatePlace.Message("no tokenizer is written, so the chat template is not either"));
            template = null;
        }
        return
        [
            .. TokenizerFiles.Make(tokenizer, vocabulary?.Draft, template),
            .. donor.Where(file => !TokenizerFiles.Has(file.Name)
                    && (options.CopyTokenizer || file.Name == GenerationConfig || models[0].Architecture.TagAlong.Contains(file.Name)))
                .Select(file => file.Name == GenerationConfig && vocabulary is not null ? Renumbered(file, vocabulary, models[0], notes) : file),
        ];
    }

    static string? Template(MergeConfig config, ImmutableArray<OpenedModel> models)
    {
        if (config.ChatTemplate is not { } asked) return null;
        if (asked == "auto") return ChatTemplate.MostCommon(models.Select(model => model.Checkpoint.Files));
        try
        {
            return ChatTemplate.Named(asked);
        }
        catch (RecallException e)
        {
            throw config.ChatTemplatePlace.Error(e.Message);
        }
    }

    static CheckpointFile Renumbered(CheckpointFile file, OutputVocabulary vocabulary, OpenedModel donor, List<string> notes)
    {
        var json = TokenizerFiles.ReadObject(file);
        return TokenNumbers.Follow(json, file.Name, vocabulary, donor, notes) ? TokenizerFiles.Made(file.Name, json) : file;
    }
}
