#!/bin/bash
# Everything of the table in README.md, one after another. Run it in the root of the repository; results go to artifacts/other-tasks/log.
set -eu
out=artifacts/other-tasks
mkdir -p $out/log
export RECALL_SHARED=${RECALL_SHARED:-../shared} COMPUTE=${COMPUTE:-float32} SCORE=${SCORE:-float32}
recall=${RECALL:-dotnet run --project src/Recall.Cli -c Release --}
program=${PROGRAM:-dotnet run --project experiments/five-adapters -c Release --}
set=experiments/other-tasks/set.json full=experiments/other-tasks/full.json

run() { # NAME ARGUMENTS: the program's answer, once
    [ -e $out/log/$1 ] || { $program "${@:2}" > $out/log/$1.tmp; mv $out/log/$1.tmp $out/log/$1; cat $out/log/$1; }
}

$program rows $RECALL_SHARED/data/tinystories_slice.txt $out stories
for expert in ag_news arc_easy gsm8k stories ag_news-full arc_easy-full gsm8k-full; do
    [ -d $out/experts/$expert ] && continue
    sed "s#\.\./shared/#$RECALL_SHARED/#" experiments/other-tasks/train/$expert.yaml > $out/$expert.yaml
    $recall train $out/$expert.yaml
done
run references references set=$set          # set.json and full.json hold these losses
run references-full references set=$full

weights() { # NAME METHOD PARAMETERS SETTINGS: methods that look at weights only
    run $1 weights $2 "$3" $out/merged "${@:4}"
    rm -rf $out/merged
}
weights average linear "weight: 1" set=$set
run distil distil set=$set
run align align set=$set
weights task-arithmetic task_arithmetic "weight: 0.35" set=$set
weights ties ties "weight: 1, density: 0.2" set=$set
run distil-5 distil set=$set count=5
run distil-64 distil set=$set count=64
run distil-prompts distil set=$set prompts=only
run distil-kmeans distil set=$set candidates=50
run distil-ridge-1e-3 distil set=$set ridge=1e-3
run distil-ridge-1e-1 distil set=$set ridge=1e-1
run distil-answers-0 distil set=$set answers=0
run distil-answers-3 distil set=$set answers=3

weights full-average linear "weight: 1" set=$full
run full-distil distil set=$full
run full-align align set=$full
weights full-ties ties "weight: 1, density: 0.2" set=$full
three=only=ag_news,arc_easy,gsm8k
weights three-average linear "weight: 1" set=$set $three
run three-distil distil set=$set $three
run three-align align set=$set $three

for rank in full 64 16 4; do
    run cards-$rank cards $out/cards-$rank $rank set=$set
    run align-cards-$rank align-cards $out/cards-$rank set=$set
    [ $rank != 64 ] || run newest-gsm8k-$rank newest gsm8k $out/cards-$rank set=$set
    [ $rank != full ] || for task in gsm8k ag_news arc_easy stories; do
        run newest-$task newest $task $out/cards-$rank set=$set
        run newest-$task-even newest $task $out/cards-$rank set=$set demand=false
    done
    rm -rf $out/cards-$rank
done
run sequential-texts sequential $out/sequential texts 0 set=$set; rm -rf $out/sequential
run sequential-cards sequential $out/sequential cards full set=$set; rm -rf $out/sequential
run align-ridge-1e-4 align set=$set ridge=1e-4
run align-ridge-1e-2 align set=$set ridge=1e-2
