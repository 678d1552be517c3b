using BenchmarkDotNet.Running;
using Recall;
using Recall.Benchmarks;

const string Help = """
    Benchmarks of Recall. Run with: dotnet run --project benchmarks/Recall.Benchmarks -c Release -- VERB …

      make-model OUT [--shape 1b] [--layers N] [--vocabulary N] [--dtype bf16] [--seed 0]
          Writes a Llama-shaped checkpoint of normal random weights (sigma 0.02), the same bytes for the same seed on every machine.
          Shapes: tiny, 135m, 0.5b, 1b, 7b, 8b. Types: bf16, f16, f32.
      compare CONFIG --recall DLL --reference FILE … [--out FOLDER] [--runs 5] [--warm] [-- OPTIONS OF MERGE …]
          Times `recall merge CONFIG` against `cp` of the first reference file and `cat` of all of them, in turns, with cold and (or only)
          warm file cache; prints a Markdown table of medians, ratios and peak memory.
      move OUT --files FILE … [--reads 1] [--threads all]
          Reads the files, so often and in windows as a merge does, and writes one of them to OUT: what a merge of them takes without any arithmetic.
      forward MODEL [--type bf16] [--texts 20] [--length 194] [--runs 5]
          Forward pass of a model (a folder, a file, model+adapter) beside the bare matrix products of its size, on one thread, in
          processor time, and where the time of its blocks goes. Types: bf16, f32.
      products -- COMMAND …
          Runs a command on one thread of libtorch and shows which part of its time goes into matrix products and decompositions.
      kernels [--filter '*BFloat16*' …]
          BenchmarkDotNet over the kernels; its own options follow.
    """;

try
{
    switch (args)
    {
        case ["make-model", .. var rest]: SyntheticModel.Write(Arguments.Parse(rest)); return 0;
        case ["compare", .. var rest]: Comparison.Run(Arguments.Parse(rest)); return 0;
        case ["move", .. var rest]: BareMove.Run(Arguments.Parse(rest)); return 0;
        case ["forward", .. var rest]: ForwardBenchmark.Run(Arguments.Parse(rest)); return 0;
        case ["products", .. var rest]: ProductProfile.Run(Arguments.Parse(rest)); return 0;
        case ["kernels", .. var rest]: BenchmarkSwitcher.FromAssembly(typeof(ConversionBenchmarks).Assembly).Run(rest); return 0;
        case ["help" or "--help" or "-h", ..]: Console.WriteLine(Help); return 0;
        default: Console.Error.WriteLine(Help); return 2;
    }
}
catch (RecallException e)
{
    Console.Error.WriteLine(e.Message);
    return e is ConfigurationException ? 2 : 1;
}
