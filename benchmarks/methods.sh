#!/usr/bin/env bash
# Every merge method on models of Llama-1B shape (bf16, 2.47 GB each), with a warm file cache, beside `cp` of one model in the same run; then what it
# takes at best to read files so often and to write one without computing anything (`Recall.Benchmarks move`).
#
#   benchmarks/methods.sh FOLDER [RUNS] > benchmarks/results/methods.md
#
# FOLDER takes five models (12 GB) and is kept; RUNS, 3 by default, are made in turns and their medians shown. Needs /usr/bin/time.
set -euo pipefail
cd "$(dirname "$0")/.."
folder=$(realpath -m "$1") runs=${2:-3}
bench="dotnet artifacts/bin/Recall.Benchmarks/release_linux-x64/Recall.Benchmarks.dll"
recall="dotnet artifacts/bin/Recall.Cli/release_linux-x64/Recall.Cli.dll"
mkdir -p "$folder"
seed=0
for model in base a b c d; do
  seed=$((seed + 1))
  [[ -f $folder/$model/config.json ]] || $bench make-model "$folder/$model" --shape 1b --dtype bf16 --seed $seed >&2
done
for model in base a b c d; do cat "$folder/$model"/*.safetensors > /dev/null; done

median() { sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }

# config METHOD MODELS PARAMETERS: a merge file of the base (where the method takes one) and so many models.
config() {
  local method=$1 count=$2 parameters=$3 base=1
  case $method in linear | karcher | multislerp | nuslerp) base=0 ;; esac
  echo "merge_method: $method"
  [[ $base == 1 ]] && echo "base_model: $folder/base"
  echo "models:"
  [[ $method == slerp ]] && echo "  - {model: $folder/base}"
  for model in a b c d; do
    ((count-- > 0)) || break
    echo "  - {model: $folder/$model, parameters: {weight: 0.5$([[ $method == ties || $method == dare* || $method == bread* || $method == della* ]] && echo ', density: 0.5')}}"
  done
  echo "parameters: {$parameters}"
  # These two write float32 where only dtype is set, as mergekit does: twice the bytes that cp of one model writes.
  case $method in ramplus_tl | arcee_fusion) echo "out_dtype: bfloat16" ;; esac
  echo "dtype: bfloat16"
}

echo "Every merge method, models of Llama-1B shape in bf16 (2.47 GB), warm file cache, medians of $runs runs in turns with \`cp\` of one model."
echo "Machine: $(awk -F': ' '/model name/ { print $2; exit }' /proc/cpuinfo), $(nproc) cores, $(awk '/MemTotal/ { printf "%.0f GB", $2 / 1e6 }' /proc/meminfo), .NET $(dotnet --list-runtimes | awk '/NETCore.App/ { print $2 }' | tail -1). Made by \`benchmarks/methods.sh\`."
echo
echo "| merge | models | reads | wall s | ÷ cp | ÷ cat of the inputs | processor s | peak RSS MB |"
echo "|---|---|---|---|---|---|---|---|"
work=$(mktemp -d "$folder/run.XXXX")
trap 'rm -rf "$work"' EXIT
while read -r method count passes parameters; do
  config "$method" "$count" "$parameters" > "$work/merge.yaml"
  : > "$work/times"
  : > "$work/copies"
  : > "$work/reads"
  inputs=$(sed -n 's#.*model: \([^,}]*\).*#\1/model.safetensors#p' "$work/merge.yaml" | sort -u)
  for ((run = 0; run < runs; run++)); do
    rm -rf "$work/out" "$work/copy"
    /usr/bin/time -a -o "$work/copies" -f "%e" cp "$folder/a/model.safetensors" "$work/copy"
    rm -rf "$work/copy"
    /usr/bin/time -a -o "$work/reads" -f "%e" cat $inputs > /dev/null
    /usr/bin/time -a -o "$work/times" -f "%e %M %U %S" $recall merge "$work/merge.yaml" "$work/out" -q > /dev/null
    rm -rf "$work/out"
  done
  wall=$(cut -d' ' -f1 "$work/times" | median) copy=$(median < "$work/copies") reads=$(median < "$work/reads")
  cpu=$(awk '{ print $3 + $4 }' "$work/times" | median) rss=$(cut -d' ' -f2 "$work/times" | sort -n | tail -1)
  base=$(grep -c base_model "$work/merge.yaml" || true)
  [[ $method == slerp ]] && label="base + 1" || label=$([[ $base == 1 ]] && echo "base + $count" || echo "$count")
  [[ $parameters == select_topk* ]] && method="sce, select_topk 0.3"
  awk -v m="$method" -v l="$label" -v w="$wall" -v c="$copy" -v d="$reads" -v u="$cpu" -v r="$rss" -v n="$passes" \
    'BEGIN { printf "| %s | %s | %d | %.2f | %.2f | %.1f | %.1f | %.0f |\n", m, l, n, w, w / c, w / d, u, r / 1000 }'
done <<'METHODS'
linear 2 1
linear 4 1
slerp 1 2 t: 0.4
task_arithmetic 2 1
task_arithmetic 3 1
task_arithmetic 4 1
nearswap 1 1 t: 0.001
dare_linear 1 2
dare_linear 2 2
dare_linear 4 2
dare_ties 2 2
dare_ties 3 2
dare_ties 4 2
ties 1 2
ties 2 2
ties 3 2
ties 4 2
breadcrumbs 2 2
della 2 2 epsilon: 0.1
sce 2 2
sce 2 3 select_topk: 0.3
model_stock 2 2
karcher 2 2
multislerp 2 2
nuslerp 2 2
ram 2 1
ramplus_tl 2 2
arcee_fusion 1 2
METHODS

echo
echo "Reading and writing alone, best of $((2 * runs)) runs beside the best \`cp\`:"
echo
echo "| files | reads | wall s | ÷ cp |"
echo "|---|---|---|---|"
while read -r count passes; do
  : > "$work/times"
  : > "$work/copies"
  inputs=$(for model in base a b c d; do echo "$folder/$model/model.safetensors"; done | head -n "$count")
  for ((run = 0; run < 2 * runs; run++)); do
    /usr/bin/time -a -o "$work/copies" -f "%e" cp "$folder/a/model.safetensors" "$work/copy"
    rm -rf "$work/copy"
    /usr/bin/time -a -o "$work/times" -f "%e" $bench move "$work/copy" --files $inputs --reads "$passes" > /dev/null
    rm -rf "$work/copy"
  done
  awk -v n="$count" -v p="$passes" -v w="$(sort -n "$work/times" | head -1)" -v c="$(sort -n "$work/copies" | head -1)" \
    'BEGIN { printf "| %d | %d | %.2f | %.2f |\n", n, p, w, w / c }'
done <<'MOVES'
2 1
4 1
5 1
2 2
3 2
4 2
5 2
3 3
MOVES
