using System.Collections.Immutable;

namespace Recall.Checkpoints.Architectures;

/// <summary>Encoders: BERT and its kin, bare or with a head.</summary>
public static partial class ArchitectureTable
{
    const string MaskedHead = "cls.predictions.decoder.weight";

    static readonly ImmutableArray<string> BertLayer = Biased(
        "attention.self.query", "attention.self.key", "attention.self.value", "attention.output.dense", "attention.output.LayerNorm",
        "intermediate.dense", "output.dense", "output.LayerNorm");

    static readonly ImmutableArray<string> DistilBertLayer = Biased(
        "attention.q_lin", "attention.k_lin", "attention.v_lin", "attention.out_lin", "sa_layer_norm", "ffn.lin1", "ffn.lin2",
        "output_layer_norm");

    /// <summary>How the names of a bare encoder's tensors begin.</summary>
    static readonly ImmutableArray<string> InnerParts = ["embeddings.", "encoder.", "transformer.", "pooler."];

    static ImmutableArray<Architecture> Encoders =>
    [
        Bert("bert", "", "BertModel"),
        Bert("bert", "bert.", "BertForMaskedLM") with
        {
            Head = MaskedHead,
            HeadBias = "cls.predictions.bias",
            After =
            [
                "cls.predictions.bias", "cls.predictions.decoder.bias",
                .. Biased("cls.predictions.transform.dense", "cls.predictions.transform.LayerNorm"),
            ],
        },
        Classifier(
            Bert("bert", "bert.", "BertForSequenceClassification", "BertForMultipleChoice", "BertForTokenClassification"), "bert.", "classifier"),
        Bert("roberta", "", "RobertaModel"),
        Bert("roberta", "roberta.", "RobertaForMaskedLM") with
        {
            Head = "lm_head.decoder.weight",
            HeadBias = "lm_head.bias",
            After = ["lm_head.bias", "lm_head.decoder.bias", .. Biased("lm_head.dense", "lm_head.layer_norm")],
        },
        Classifier(Bert("roberta", "roberta.", "RobertaForSequenceClassification"), "roberta.", "classifier.dense", "classifier.out_proj"),
        Classifier(Bert("roberta", "roberta.", "RobertaForTokenClassification"), "roberta.", "classifier"),
        DistilBert("", "DistilBertModel"),
        DistilBert("distilbert.", "DistilBertForMaskedLM") with
        {
            Head = "vocab_projector.weight",
            After = Biased("vocab_transform", "vocab_layer_norm"),
        },
        DistilBert("distilbert.", "DistilBertForSequenceClassification") with { After = Biased("pre_classifier", "classifier") },
        DistilBert("distilbert.", "DistilBertForTokenClassification") with { After = Biased("classifier") },
    ];

    static Architecture Bert(string modelType, string prefix, params ImmutableArray<string> classNames) =>
        Encoder(modelType, prefix, classNames) with
        {
            LayerPrefix = prefix + "encoder.layer.",
            LayerTensors = BertLayer,
            Before =
        [
            prefix + "embeddings.position_ids", prefix + "embeddings.position_embeddings.weight",
            prefix + "embeddings.token_type_embeddings.weight",
            .. Biased(prefix + "embeddings.LayerNorm"),
        ],
            After = PoolerOf(prefix),
        };

    static Architecture DistilBert(string prefix, string className) => Encoder("distilbert", prefix, [className]) with
    {
        LayerPrefix = prefix + "transformer.layer.",
        LayerTensors = DistilBertLayer,
        Before = [prefix + "embeddings.position_embeddings.weight", .. Biased(prefix + "embeddings.LayerNorm")],
    };

    static Architecture Encoder(string modelType, string prefix, ImmutableArray<string> classNames) => new(modelType, classNames)
    {
        Embedding = prefix + "embeddings.word_embeddings.weight",
        FinalNorm = "",
        Head = "",
        // A bare encoder that was cut out of a larger model may keep the name that it had there, and the other way round.
        Layouts = prefix.Length > 0
            ? [new TensorLayout((prefix, ""))]
            : [new TensorLayout([.. InnerParts.Select(part => (part, $"{modelType}.{part}"))])],
    };

    static Architecture Classifier(Architecture encoder, string prefix, params string[] heads) =>
        encoder with { After = [.. PoolerOf(prefix), .. Biased(heads)] };

    static ImmutableArray<string> PoolerOf(string prefix) => Biased(prefix + "pooler.dense");
}
