#!/usr/bin/env bash
# The comparison of ../README.md: three seeds of DDPG, random search and cross-entropy search with the
# same number of evaluations, one of each profile, one greedy search.
#   run.sh WEIGHTS DATA OUT
# EPISODES, 108 where not set, is how many are explored.
# WEIGHTS: resnet56-4bfd9763.th (Y. Idelbayev's pytorch_resnet_cifar10); DATA: CIFAR-10, binary layout.
set -euo pipefail
weights=$1 data=$2 out=$3
cgym=${CGYM:-cargo run --release --}
common="--model resnet56 --weights $weights --dataset cifar10 --data $data --budget macs=0.5
        --set data.reward_images=5000 --set score.points=30 --episodes ${EPISODES:-108}"
mkdir -p "$out"
for seed in 1 2 3; do
    $cgym search $common --agent ddpg --seed $seed --no-baselines --out "$out/ddpg-$seed" --json > "$out/ddpg-$seed.json"
    $cgym baselines $common --agents cem --seed $seed --out "$out/cem-$seed" --json > "$out/cem-$seed.json"
    $cgym baselines $common --agents uniform,shallow,deep,random --seed $seed --json > "$out/baselines-$seed.json"
done
$cgym baselines $common --agents greedy --seed 1 --json > "$out/greedy-1.json"
