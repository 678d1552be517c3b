#!/usr/bin/env bash
# Makes the models of `recall demo` again, into examples/demo/models: the same bytes on the same kind of machine, since everything is
# seeded and libtorch sums on one thread. Takes about two minutes. Usage: examples/demo/make.sh [FOLDER TO WORK IN]
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
work=${1:-$(mktemp -d)}
export OMP_NUM_THREADS=1 MKL_NUM_THREADS=1

dotnet build "$here/../../src/Recall.Cli" -c Release -v quiet --nologo
recall() { dotnet "$here/../../artifacts/bin/Recall.Cli/release_linux-x64/Recall.Cli.dll" --quiet "$@"; }

recall demo --make "$work"
cd "$work"
recall train base.yaml
for task in reverse sort upper translate; do recall train "$task.yaml"; done

# The model that learns task after task: each adapter is trained on what the ones before have made of the base.
recall convert base+experts/reverse after/reverse --dtype bfloat16
before=reverse
for task in sort upper translate; do
  recall train "then-$task.yaml"
  recall convert "after/$before+sequential/$task" "after/$task" --dtype bfloat16
  before=$task
done

rm -rf "$here/models"
mkdir "$here/models"
cp -r base experts sequential "$here/models"
find "$here/models" -name recall_training.json -delete
du -sh "$here/models"
