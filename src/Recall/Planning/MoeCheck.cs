using System.Text.Json.Nodes;
using Recall.Checkpoints;
using Recall.Configuration;
using Recall.Numerics;

namespace Recall.Planning;

/// <summary>Whether the models of a mixture have the tensors and shapes that it is made of, and none that it has no place for.</summary>
static class MoeCheck
{
    const string Quantised = "weights that are quantised in a way that Recall does not read";

    static readonly string[] Needed =
    [
        "input_layernorm.weight", "post_attention_layernorm.weight",
        "self_attn.q_proj.weight", "self_attn.k_proj.weight", "self_attn.v_proj.weight", "self_attn.o_proj.weight",
    ];

    /// <summary>Checks all.</summary>
    /// <exception cref="RecallException">Something is missing, too much, or of another shape.</exception>
    public static void Check(MoePlan plan, List<string> notes)
    {
        CheckBase(plan);
        long hidden = plan.Hidden;
        long inner = 0;
        foreach (var expert in plan.Config.AllExperts)
        {
            long own = CheckExpert(plan, expert, hidden);
            if (inner == 0) inner = own;
            bool mayDiffer = plan.Architecture.SharedGate && plan.Config.SharedExperts.Contains(expert);
            if (own != inner && !mayDiffer)
                throw expert.Place.Error($"the MLPs of {expert.Model} have {own} inner values, "
                    + $"those of {plan.Config.Experts[0].Model} {inner}; all experts must have the same");
        }
        int left = plan.Base.Checkpoint.Tensors.Count(tensor => MoeTensors.IsRecomputed(tensor.Name));
        if (left > 0) notes.Add($"{plan.Base.Name}: {left} tensors of rotary positions (inv_freq) are left out: programs compute them");
    }

    static void CheckBase(MoePlan plan)
    {
        var (model, architecture, place) = (plan.Base, plan.Base.Architecture, plan.Config.BaseModelPlace);
        void Need(string name)
        {
            var tensor = model.Checkpoint.Find(name) ?? throw place.Error($"{model.Name} lacks tensor {name}");
            bool matrix = name.EndsWith("_proj.weight", StringComparison.Ordinal)
                || name == architecture.Embedding || name == architecture.Head;
            if (matrix && tensor.Shape.Rank != 2) throw place.Error($"{model.Name}: {name} has shape {tensor.Shape}; a matrix is expected");
            if (!tensor.DType.IsFloat()) throw place.Error($"{model.Name}: {name} holds integers: {Quantised}");
        }
        if (plan.Layers < 1) throw place.Error($"{model.Name} has no layers");
        Need(architecture.Embedding);
        Need(architecture.FinalNorm);
        var embedding = model.Checkpoint.Find(architecture.Embedding)!;
        if (embedding.Shape[1] is < 1 or > 1 << 20)
            throw place.Error($"{model.Name}: {embedding.Name} has shape {embedding.Shape}; that makes no model");
        bool tied = model.Checkpoint.Config["tie_word_embeddings"] is JsonValue value && value.TryGetValue(out bool flag) && flag;
        if (!tied) Need(architecture.Head);
        for (int layer = 0; layer < plan.Layers; layer++)
            foreach (string rest in Needed) Need(architecture.LayerTensor(layer, rest));
        string[] outside = [architecture.Embedding, architecture.FinalNorm, architecture.Head];
        foreach (var tensor in model.Checkpoint.Tensors)
        {
            if (MoeTensors.IsRecomputed(tensor.Name)) continue;
            if (architecture.LayerOf(tensor.Name) is not { } at)
            {
                if (outside.Contains(tensor.Name)) continue;
                throw NoPlace(plan, model, tensor, place);
            }
            if (at.Layer >= plan.Layers)
                throw place.Error($"{model.Name} holds {tensor.Name}, and its config.json says that it has {plan.Layers} layers");
            if (!Needed.Contains(at.Suffix) && !plan.Architecture.Attention.Contains(at.Suffix) && !MoeTensors.Mlp.Contains(at.Suffix))
                throw NoPlace(plan, model, tensor, place);
        }
    }

    /// <summary>Returns the number of inner values.</summary>
    static long CheckExpert(MoePlan plan, MoeExpert expert, long hidden)
    {
        var model = plan.Models[plan.ModelOf(expert)];
        if (model.LayerCount != plan.Layers)
            throw expert.Place.Error($"{model.Name} has {model.LayerCount} layers, the base model {plan.Base.Name} {plan.Layers}");
        long inner = -1;
        for (int layer = 0; layer < plan.Layers; layer++)
        {
            foreach (string rest in MoeTensors.Mlp)
            {
                string name = model.Architecture.LayerTensor(layer, rest);
                var tensor = model.Checkpoint.Find(name) ?? throw expert.Place.Error($"{model.Name} lacks tensor {name}");
                bool down = rest == MoeTensors.Down;
                if (!tensor.DType.IsFloat()) throw expert.Place.Error($"{model.Name}: {name} holds integers: {Quantised}");
                if (tensor.Shape.Rank != 2)
                    throw expert.Place.Error($"{model.Name}: {name} has shape {tensor.Shape}; a matrix is expected");
                if (inner < 0) inner = tensor.Shape[down ? 1 : 0];
                var expected = down ? new Shape(hidden, inner) : new Shape(inner, hidden);
                if (tensor.Shape == expected) continue;
                throw expert.Place.Error($"{model.Name}: {name} has shape {tensor.Shape}; {expected} is expected, "
                    + $"for hidden states of {hidden} values as in the base model {plan.Base.Name}");
            }
        }
        var odd = model.Checkpoint.Tensors.FirstOrDefault(tensor => model.Architecture.LayerOf(tensor.Name) is { } at
            && at.Suffix.StartsWith("mlp.", StringComparison.Ordinal) && !MoeTensors.Mlp.Contains(at.Suffix));
        return odd is null ? inner : throw NoPlace(plan, model, odd, expert.Place);
    }

    static RecallException NoPlace(MoePlan plan, OpenedModel model, TensorSource tensor, Configuration.Yaml.Place place) =>
        place.Error($"{model.Name} has tensor {Quoted.Of(tensor.Name)}, for which there is no place in a {plan.Architecture.Name} model");
}
