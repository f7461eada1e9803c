#!/usr/bin/env bash
# Fine-grained pruning: every policy with the same budget and 201 evaluations, ten seeds.
# Usage: run.sh OUT [MNIST_DIR LENET5_WEIGHTS]; the weights are those of
# `cgym teacher train --model lenet5 --dataset mnist --data MNIST_DIR --out DIR`.
set -euo pipefail

out=$1
mkdir -p "$out"
cgym=${CGYM:-cgym}

play() {
    local id=$1
    shift
    for seed in 1 2 3 4 5 6 7 8 9 10; do
        [ -d "$out/$id-seed$seed" ] || "$cgym" baselines --env "$id" --agents uniform,random,cem,ddpg \
            --episodes 200 --seed "$seed" --threads 1 --out "$out/$id-seed$seed" "$@" --json > "$out/$id-seed$seed.json"
    done
}

play AMC-FineGrained-ResNet20-Digits-Params20-v0
if [ $# -ge 3 ]; then
    play AMC-FineGrained-LeNet5-MNIST-Params8-v0 --data "$2" --weights "$3"
fi
